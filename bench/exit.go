package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
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
		fmt.Fprintln(stderr, "ovbench: "+worded(strings.TrimRight(line, "\n")))
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

// goField is how encoding/json says that a value is of the wrong type, which may be a struct without a name.
var goField = regexp.MustCompile(`json: cannot unmarshal (\S+(?: \S+)?) into Go (?:struct field (?:\S*\.)?(\S+)|value) of type ` +
	`(\S*struct \{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\S+?)(;|,|$|:|\s)`)

// worded puts what a file wants in place of Go's names of types.
func worded(line string) string {
	return goField.ReplaceAllStringFunc(line, func(text string) string {
		m := goField.FindStringSubmatch(text)
		want := "an object"
		for _, kind := range [][2]string{{"[", "a list"}, {"map", "an object"}, {"string", "a text"},
			{"bool", "true or false"},
			{"float", "a number"}, {"int", "a whole number"}, {"uint", "a whole number"}, {"time.", "a time"}} {
			if strings.HasPrefix(strings.TrimLeft(m[3], "*"), kind[0]) {
				want = kind[1]
				break
			}
		}
		what := strings.Replace(m[1], "string", "text", 1)
		if m[2] == "" {
			return fmt.Sprintf("%s where %s belongs%s", what, want, m[4])
		}
		return fmt.Sprintf("%s: %s where %s belongs%s", m[2], what, want, m[4])
	})
}
