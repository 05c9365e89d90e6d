package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitMissing     = 3
	exitInterrupted = 130
)

const exitStatus = `
Exit status: 0 done · 1 failed · 2 usage or a faulty suite · 3 finished but something is missing
             (samples failed, shards absent) · 130 interrupted (all finished work is kept)
`

// usageError is a command line, or a suite, that cannot be understood. command says whose help to read, if any.
type usageError struct {
	error
	command string
}

// missingError is work that finished with omissions.
type missingError struct{ error }

func usagef(command, format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...), command}
}

// exitCode prints err, one line a fault, and says how the program ends.
func exitCode(ctx context.Context, stderr io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "ovbench: interrupted; all finished work is kept")
		return exitInterrupted
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(stderr, "ovbench: "+strings.TrimRight(line, "\n"))
	}
	var (
		usage   usageError
		missing missingError
	)
	switch {
	case errors.As(err, &usage):
		if usage.command != "" {
			fmt.Fprintf(stderr, "try: %s --help\n", usage.command)
		}
		return exitUsage
	case errors.As(err, &missing):
		return exitMissing
	}
	return exitFailed
}
