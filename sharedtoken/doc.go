// Package sharedtoken shares one MoneyKit access token between many processes, through Redis or Valkey.
//
// MoneyKit accepts 300 token requests a minute for a client ID, and a token serves any number of processes. So processes
// that start together should share one:
//
//	rdb := redis.NewClient(&redis.Options{Addr: "redis.internal:6379"})
//	shared, err := sharedtoken.New(rdb, clientID, clientSecret)
//	client, err := api.New(auth.FromTokenSource(shared))
//
// # One request for all
//
// A process asks the store when it needs a token, not for each call. The one that finds none takes a lock and fetches one;
// the others wait for it. Between three minutes and one minute before the token expires, at a random time, each process
// asks again, so that the first one fetches the next token and the others find it. The lock expires after 5 seconds: a
// process that ends while it fetches delays the others by less than 6. Should it only have been slow, its token does not
// replace theirs. After 15 seconds a process without a token fetches one of its own.
//
// A token that the API rejects is removed from the store by the first process that says so, and fetched anew once.
// A token request that fails with a response, such as a 429, is not repeated by the other processes before the backoff
// or Retry-After has passed: they get its error meanwhile.
//
// # Without the store
//
// A request to the store times out after one second. While the store fails, a process uses the token it has, and then
// fetches one of its own, with the backoff of package auth. It asks the store again every 30 to 60 seconds. A store that
// has come back empty gets a valid token that a process has; none is fetched for it.
//
// # What is stored
//
// Two keys for each combination of client ID, client secret, token URL and scopes: the token, and the lock. Their names
// are derived from these four by HKDF. The token is encrypted with AES-256-GCM, by a key that HKDF derives from the client
// secret, and is bound to the client ID, token URL and scopes. A value that was changed, or written for others, is
// treated as absent. Expiry is measured by the clock of the store, so the clocks of the processes may differ. The user of the store
// needs the commands EVAL, EVALSHA, GET, SET, DEL and TIME for keys that begin with moneykit:token:. All of this is tested
// with Redis 7, and passes with Valkey 9.
package sharedtoken
