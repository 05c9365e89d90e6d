//go:build !linux

package ort

func openShared(string) error { return errNoLoader }

func keepSignals(do func()) (changed int) {
	do()
	return 0
}
