package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/reports"
	"ovbench/reports/results"
)

func reportCommand() *cobra.Command {
	var (
		formats []string
		out     string
	)
	c := &cobra.Command{
		Use:     "report RUN...",
		Short:   "Make tables and pictures of runs",
		Long:    "Make tables and pictures of run folders, from their results alone.",
		Example: "  ovbench report out/voc20 --format md,png --out out/voc20/report",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().StringSliceVar(&formats, "format", []string{"md"}, "formats: "+strings.Join(reports.Formats(), ", "))
	c.Flags().StringVar(&out, "out", "", "`folder` to write")
	c.RunE = func(c *cobra.Command, dirs []string) error {
		if out == "" {
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
