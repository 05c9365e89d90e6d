package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/analysis"
	"ovbench/bench/records"
	"ovbench/metrics"
)

func recordsCommand() *cobra.Command {
	var (
		format, out string
		repair      bool
	)
	c := &cobra.Command{
		Use:   "records RUN",
		Short: "Write the records of a run as a flat table",
		Long: `Write the records of a run as a flat table, a number a line, for pandas, DuckDB, sqlite3 or a spreadsheet:

  dataset, index, id, method, convention, class, score, value

Lines without a class are scores of one image alone. Lines with one are what pooled scores are made of: for
segmentation intersection, truth and predicted, in pixels. What is undefined has no line.

With --repair nothing is written but records.jsonl itself: lines that cannot be read, or that do not fit the others, are left
out and named, and run --resume measures their samples again.`,
		Example: "  ovbench records out/voc20 --format csv --out voc20.csv",
		Args:    arguments(1, 1),
	}
	c.Flags().StringVar(&format, "format", "csv", "format: "+strings.Join(analysis.RowFormats, ", "))
	c.Flags().StringVar(&out, "out", "", "`file` to write (default: standard output)")
	c.Flags().BoolVar(&repair, "repair", false, "leave broken lines out of records.jsonl, and say which")
	c.RunE = func(c *cobra.Command, args []string) error {
		if repair {
			return repairRecords(c, args[0])
		}
		if err := known(format, analysis.RowFormats); err != nil {
			return usagef(c.CommandPath(), "--format %w", err)
		}
		if out != "" {
			if err := checkFile(c, out, "."+format); err != nil {
				return err
			}
		}
		run, recs, err := analysis.Load(args[0])
		if err != nil {
			return err
		}
		write := func(w io.Writer) error { return analysis.WriteRows(w, format, run, recs) }
		if out == "" {
			return write(c.OutOrStdout())
		}
		return writeFile(out, write)
	}
	return c
}

func repairRecords(c *cobra.Command, dir string) error {
	dropped, err := records.Repair(dir)
	for _, line := range dropped {
		fmt.Fprintln(c.OutOrStdout(), line)
	}
	if err == nil {
		fmt.Fprintf(c.ErrOrStderr(), "ovbench: %d lines left out of %s\n", len(dropped), filepath.Join(dir, records.FileName))
	}
	return err
}

func rescoreCommand() *cobra.Command {
	var (
		convention, out, metricList string
		resamples                   int
		seed                        uint64
	)
	c := &cobra.Command{
		Use:   "rescore RUN",
		Short: "Compute the scores of a run again from its records",
		Long: `Compute the scores of a run again from its records alone, without model and pictures, for example under another
convention or with more resamples, and write a run folder.`,
		Example: "  ovbench rescore out/ade20k --convention ade20k --out out/ade20k-devkit",
		Args:    arguments(1, 1),
	}
	c.Flags().StringVar(&convention, "convention", "",
		"how intersection and union are counted: "+conventionNames()+" (default: as in the run)")
	c.Flags().IntVar(&resamples, "resamples", 0,
		"bootstrap resamples of the images, 0 for no intervals (default: as in the run)")
	c.Flags().Uint64Var(&seed, "seed", 0, "seed of the resamples (default: as in the run)")
	c.Flags().StringVar(&metricList, "metrics", "", "`names` of the scores wanted, in order (default: as in the run)")
	c.Flags().StringVar(&out, "out", "", "`folder` to write")
	c.RunE = func(c *cobra.Command, args []string) error {
		if out == "" {
			return usagef(c.CommandPath(), "--out is missing: name the folder to write")
		}
		if _, err := metrics.FindConvention(convention); err != nil && convention != "" {
			return usageError{err, c.CommandPath()}
		}
		set := map[string]string{}
		for flag, key := range map[string]string{"convention": "protocol.convention", "resamples": "resamples",
			"seed": "seed", "metrics": "metrics"} {
			if f := c.Flag(flag); f.Changed {
				set[key] = f.Value.String()
			}
		}
		r, err := analysis.Rescore(args[0], out, set)
		if err != nil {
			return err
		}
		return summarise(c, r, out)
	}
	return c
}
