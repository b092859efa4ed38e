// Package bench measures package api against code written by hand and against other generated clients. Run make bench
// in the repository's root.
package bench
