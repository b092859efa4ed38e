module github.com/moneykit/moneykit-go/bench

go 1.26.0

replace github.com/moneykit/moneykit-go => ../

require (
	github.com/moneykit/moneykit-go v0.1.0
	golang.org/x/oauth2 v0.37.0
	golang.org/x/perf v0.0.0-20260908200009-22c9c6c9d4da
)

require github.com/aclements/go-moremath v0.0.0-20210112150236-f10218a38794 // indirect
