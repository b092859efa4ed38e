package aba

import "testing"

func TestValid(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"021000021": true, "123456780": true, "011401533": true,
		"021000022": false, "021000012": false, "000000000": false, "": false, "02100002": false, "0210000210": false,
		"02100002x": false, "０21000021": false, "-21000021": false,
	} {
		if got := Valid(number); got != want {
			t.Errorf("%q: %v, want %v", number, got, want)
		}
	}
}
