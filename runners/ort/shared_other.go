//go:build !linux

package ort

import "errors"

func openShared(string) error { return errors.New("shared libraries are opened on Linux alone") }

// Trim does nothing.
func Trim() {}

func keepSignals(do func()) (changed int) {
	do()
	return 0
}
