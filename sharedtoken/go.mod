// One access token for many processes, in Redis or Valkey. It is a module of its own so that importers of package api do
// not compile a Redis client.
module github.com/moneykit/moneykit-go/sharedtoken

go 1.26.0

require (
	github.com/moneykit/moneykit-go v0.2.0
	github.com/redis/go-redis/v9 v9.23.0
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
)
