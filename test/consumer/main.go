// Consumer is what an application adds: the client and its token source. test/consumer/check builds it in a module of
// its own.
package main

import (
	"fmt"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
)

func main() {
	src, err := auth.ClientCredentials("sandbox_id", "secret")
	if err != nil {
		panic(err)
	}
	client, err := api.New(src)
	if err != nil {
		panic(err)
	}
	fmt.Println(client)
}
