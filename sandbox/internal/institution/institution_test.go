package institution

import (
	"encoding/base64"
	"encoding/xml"
	"strings"
	"testing"
)

// Every institution has a logo that is an image, whatever its name is.
func TestAvatar(t *testing.T) {
	t.Parallel()
	all := append([]Institution{Manual, ByID("chase"), ByID("<&>"), {ID: "x"}, {ID: "x", Name: "émile & <co>"}}, catalog...)
	seen := map[string]string{}
	for _, in := range all {
		encoded, ok := strings.CutPrefix(in.Avatar(), "data:image/svg+xml;base64,")
		data, err := base64.StdEncoding.DecodeString(encoded)
		if err == nil {
			err = xml.Unmarshal(data, new(struct{ XMLName xml.Name }))
		}
		if !ok || err != nil {
			t.Errorf("%s: %v, %s", in.ID, err, data)
		}
		seen[in.ID] = string(data)
	}
	if !strings.Contains(seen["alder_creek"], ">AC<") || !strings.Contains(seen["alder_creek"], "#1c6b45") {
		t.Errorf("alder_creek: %s", seen["alder_creek"])
	}
}
