// Package sandbox is a MoneyKit in memory.
package sandbox
