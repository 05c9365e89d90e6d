package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/reports"
	"ovbench/reports/results"
)

// onTerminal is the format that is printed, not written.
const onTerminal = "terminal"

func reportCommand() *cobra.Command {
	var (
		formats []string
		out     string
	)
	c := &cobra.Command{
		Use:   "report RUN...",
		Short: "Make tables and pictures of runs",
		Long: `Make tables and pictures of run folders, from their results alone. Several runs are set side by side: those of one
protocol and model continue each other's lines, those of unlike protocols get tables of their own. Numbers that papers claim for the
same data sets and backbone stand in a table apart (ovbench list published). The format terminal prints the table of scores and
needs no --out.`,
		Example: "  ovbench report out/voc20 --format md,png --out out/voc20/report\n  ovbench report out/* --format terminal",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().StringSliceVar(&formats, "format", []string{"md"}, "formats: "+strings.Join(append(reports.Formats(), onTerminal), ", "))
	c.Flags().StringVar(&out, "out", "", "`folder` to write")
	c.RunE = func(c *cobra.Command, dirs []string) error {
		if out == "" && slices.ContainsFunc(formats, func(f string) bool { return f != onTerminal }) {
			return usagef(c.CommandPath(), "--out is missing: name the folder to write")
		}
		var runs []*results.Run
		for _, dir := range dirs {
			r, err := results.Read(dir)
			if err != nil {
				return err
			}
			runs = append(runs, r)
		}
		for _, format := range formats {
			if format == onTerminal {
				width, colour := terminal(c.OutOrStdout())
				if err := reports.Terminal(c.OutOrStdout(), runs, width, colour); err != nil {
					return err
				}
				continue
			}
			files, err := reports.Report(runs, format, out)
			if err != nil {
				return err
			}
			for _, f := range files {
				fmt.Fprintln(c.OutOrStdout(), f)
			}
		}
		return nil
	}
	return c
}
