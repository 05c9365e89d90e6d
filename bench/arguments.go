package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovbench/configs"
)

// arguments wants from least to most arguments; a negative most is any number. The error names them as Use does.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if n := len(args); n >= least && (n <= most || most < 0) {
			return nil
		}
		_, names, _ := strings.Cut(c.Use, " ")
		if names == "" {
			return fmt.Errorf("no arguments are taken: %q is one too many", args[0])
		}
		return fmt.Errorf("want %s: %d arguments are given", names, len(args))
	}
}

// oneOf wants one argument that is among names.
func oneOf(names []string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%d arguments are given; want one of %s", len(args), strings.Join(names, ", "))
		}
		return known(args[0], names)
	}
}

// known is an error unless name is among names.
func known(name string, names []string) error {
	if slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("%q is not known%s", name, cmp.Or(didYouMean(name, names), "; known are "+strings.Join(names, ", ")))
}

// beginnings of the files that commands write, by their ending.
var beginnings = map[string]string{".npy": "\x93NUMPY", ".onnx": "\b", ".csv": "dataset,", ".jsonl": `{"dataset"`}

// checkFile says, before work, why a command should not write the file at path, of the kind with that ending: none is
// given, or something is there that no such command wrote.
func checkFile(c *cobra.Command, path, ending string) error {
	if path == "" {
		return usagef(c.CommandPath(), "--out is missing: name the %s file to write", ending)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil // writing says more
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file: name another --out", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	begin := make([]byte, len(beginnings[ending]))
	if n, err := io.ReadFull(f, begin); n > 0 && (err != nil || string(begin) != beginnings[ending]) {
		return fmt.Errorf("%s is there already, and no %s file of an earlier call: name another --out", path, ending)
	}
	return nil
}

// subcommand refuses what is none, for commands that do nothing themselves.
func subcommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], c.CommandPath(), didYouMean(args[0], names))
}

// unknownFlag is an error of reading flags with the flag that was meant, if one is near.
func unknownFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return fmt.Errorf("%w%s", err, didYouMean("--"+unknown.GetSpecifiedName(), names))
}

// didYouMean is a question to append to an error, or "".
func didYouMean(name string, known []string) string {
	if near := configs.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}
