module github.com/moneykit/moneykit-go/test/contract

go 1.26.0

replace (
	github.com/moneykit/moneykit-go => ../../
	github.com/moneykit/moneykit-go/sandbox => ../../sandbox
)

require (
	github.com/getkin/kin-openapi v0.153.0
	github.com/moneykit/moneykit-go v0.2.0
	github.com/moneykit/moneykit-go/sandbox v0.2.0
	github.com/pb33f/libopenapi v0.42.4
)

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/bahlo/generic-list-go v0.2.0 // indirect
	github.com/buger/jsonparser v1.1.2 // indirect
	github.com/go-openapi/jsonpointer v0.22.5 // indirect
	github.com/go-openapi/swag/jsonname v0.25.5 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/oapi-codegen/runtime v1.8.0 // indirect
	github.com/pb33f/go-yaml v0.1.1 // indirect
	github.com/pb33f/jsonpath v0.8.5 // indirect
	github.com/pb33f/ordered-map/v2 v2.3.2 // indirect
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.32.0 // indirect
)
