package moneykit_test

import (
	"bytes"
	"fmt"

	moneykit "github.com/moneykit/moneykit-go"
)

func ExampleOpenAPI() {
	line, _, _ := bytes.Cut(moneykit.OpenAPI(), []byte("\n"))
	fmt.Printf("%s\n", line)
	// Output: openapi: 3.0.3
}
