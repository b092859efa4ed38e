package gen_test

import (
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/moneykit/moneykit-go/gen"
)

func Example() {
	var times []gen.Timestamp
	if err := json.Unmarshal([]byte(`["2023-02-16T09:14:11", "2023-02-16T04:14:11-05:00", null]`), &times); err != nil {
		log.Fatal(err)
	}
	for _, t := range times {
		fmt.Println(t.IsZero(), t.UTC().Format(time.RFC3339))
	}
	// Output:
	// false 2023-02-16T09:14:11Z
	// false 2023-02-16T09:14:11Z
	// true 0001-01-01T00:00:00Z
}
