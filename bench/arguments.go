package main

import (
	"cmp"
	"errors"
	"fmt"
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
