package sharedtoken_test

import (
	"log"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/moneykit/moneykit-go/api"
	"github.com/moneykit/moneykit-go/auth"
	"github.com/moneykit/moneykit-go/sharedtoken"
)

func ExampleNew() {
	rdb := redis.NewClient(&redis.Options{Addr: "redis.internal:6379"})
	shared, err := sharedtoken.New(rdb, os.Getenv("MONEYKIT_CLIENT_ID"), os.Getenv("MONEYKIT_CLIENT_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	client, err := api.New(auth.FromTokenSource(shared))
	if err != nil {
		log.Fatal(err)
	}
	_ = client
}
