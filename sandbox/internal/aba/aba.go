// Package aba checks routing numbers of US banks.
package aba

// Valid reports whether number has nine digits of which the last is the check digit of the others.
func Valid(number string) bool {
	if len(number) != 9 {
		return false
	}
	sum := 0
	for i, digit := range []byte(number) {
		if digit < '0' || digit > '9' {
			return false
		}
		sum += int(digit-'0') * [3]int{3, 7, 1}[i%3]
	}
	return sum > 0 && sum%10 == 0
}
