package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"ovbench/bench/analysis"
	"ovbench/bench/tasks"
	"ovbench/reports"
	"ovbench/reports/results"
)

// onTerminal is the format that is printed, not written.
const onTerminal = "terminal"

func reportCommand() *cobra.Command {
	var (
		formats []string
		out     string
		rule    string
		stars   string
		pair    []string
		choice  reports.Choice
		layout  reports.Layout
	)
	c := &cobra.Command{
		Use:   "report RUN...",
		Short: "Make tables and pictures of runs",
		Long: `Make tables, figures and documents of run folders, from their results alone. Several runs are set side by side: those of one
protocol and model continue each other's lines, those of unlike protocols get tables of their own. Numbers that papers claim for the
same data sets and backbone stand in a table apart (ovbench list published).

  md            report.md: all tables
  html          report.html: one page with tables, figures and samples, which needs no other file
  pdf           report.pdf: the same to print, with contents and page numbers
  latex         tables to include in a paper
  png           every figure and the panels of samples as pictures, for slides
  svg           every figure as a drawing
  pdf-figures   every figure as a PDF file of one or two columns width, to include in a paper
  pdf-panels    the samples of each data set on a page, all text and frames as vectors
  csv, json     all scores in full precision; the results themselves
  benchstat     scores.bench, for benchstat
  terminal      the table of scores, printed, as wide as the terminal or COLUMNS (80); needs no --out

Methods, data sets and metrics can be chosen, and stand in the order in which they are named. --stars marks in the tables of
scores which methods are told from a baseline by the paired test of images (see ovbench compare).

Panels are of the samples whose pictures the run kept (panels: N in a suite). --panels chooses among those: best, worst or
median by the score of the image, random, or id=ID,ID. Documents carry the date of the results, or SOURCE_DATE_EPOCH.`,
		Example: `  ovbench report out/voc20 --format html,pdf --out out/voc20/report
  ovbench report out/voc20 --format pdf --panels best --panel-count 4 --panel-by clip_surgery --panel-baseline clip --out best
  ovbench report out/* --format terminal
  ovbench report out/voc20 --format latex --methods clip,clip_surgery --stars clip --digits 1 --out tables`,
		Args: arguments(1, -1),
	}
	c.Flags().StringSliceVar(&formats, "format", []string{"md"},
		"formats: "+strings.Join(append(reports.Formats(), onTerminal), ", "))
	c.Flags().StringVar(&out, "out", "", "`folder` to write")
	c.Flags().StringSliceVar(&layout.Methods, "methods", nil, "`names` of the methods to show, in this order "+
		"(default: all)")
	c.Flags().StringSliceVar(&layout.Datasets, "datasets", nil, "`names` of the data sets to show, in this order "+
		"(default: all)")
	c.Flags().StringSliceVar(&layout.Metrics, "metrics", nil, "`names` of the scores to show, the main one first "+
		"(default: all)")
	c.Flags().StringVar(&layout.Sort, "sort", "", "sort rows by a data set, average, or name (default: as in the runs)")
	c.Flags().IntVar(&layout.Digits, "digits", 2, "decimals of percentages")
	c.Flags().StringVar(&stars, "stars", "", "mark what is told from this `method` by the paired test")
	c.Flags().BoolVar(&layout.Transposed, "transpose", false, "data sets down and methods across in the tables "+
		"of main scores")
	c.Flags().StringSliceVar(&pair, "pair", nil, "two `methods` for the charts of differences, the second minus "+
		"the first")
	c.Flags().StringArrayVar(&layout.Labels, "label", nil, "`name` of a run beside others; once for each run, in "+
		"their order")
	c.Flags().StringVar(&rule, "panels", "all", "`rule` that chooses panels: all, best, worst, median, random or "+
		"id=ID,ID")
	c.Flags().IntVar(&choice.Count, "panel-count", 0, "at most `N` panels of a data set, 0 for all")
	c.Flags().StringVar(&choice.Method, "panel-by", "", "`method` whose score ranks the panels (the mean of all)")
	c.Flags().StringVar(&choice.Baseline, "panel-baseline", "", "rank by the difference of --panel-by to this `method`")
	c.Flags().Uint64Var(&choice.Seed, "panel-seed", 0, "`seed` of --panels random")
	c.RunE = func(c *cobra.Command, dirs []string) error {
		for _, f := range formats {
			if err := known(f, append(reports.Formats(), onTerminal)); err != nil {
				return usagef(c.CommandPath(), "--format %w", err)
			}
		}
		asked, err := reports.ParseChoice(rule)
		if err != nil {
			return usagef(c.CommandPath(), "--panels: %v", err)
		}
		if choice.Count < 0 {
			return usagef(c.CommandPath(), "--panel-count %d is negative", choice.Count)
		}
		choice.Rule, choice.IDs = asked.Rule, asked.IDs
		layout.Meaning = tasks.Meaning
		if layout.Digits < 1 {
			return usagef(c.CommandPath(), "--digits %d: want 1 or more", layout.Digits)
		}
		if len(pair) != 0 && copy(layout.Pair[:], pair) != len(pair) || len(pair) == 1 {
			return usagef(c.CommandPath(), "--pair names %d methods; want two, such as clip,clip_surgery", len(pair))
		}
		var runs []*results.Run
		for _, dir := range dirs {
			r, err := results.Read(dir)
			if err != nil {
				return err
			}
			runs = append(runs, r)
		}
		if out == "" && slices.ContainsFunc(formats, func(f string) bool { return f != onTerminal }) {
			return usagef(c.CommandPath(), "--out is missing: name the folder to write")
		}
		if runs, err = choice.Choose(runs); err != nil {
			return err
		}
		if stars != "" {
			if layout.Tests, err = analysis.Stars(dirs, stars,
				layout.Metrics[:min(len(layout.Metrics), 1)]); err != nil {
				return err
			}
		}
		return writeReports(c.OutOrStdout(), runs, layout, formats, out)
	}
	return c
}

// writeReports writes runs in all formats at the same time and prints, in their order, the files' names or the table
// itself.
func writeReports(w io.Writer, runs []*results.Run, layout reports.Layout, formats []string, dir string) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	files := make([][]string, len(formats))
	for i, format := range formats {
		if format != onTerminal {
			group.Go(func() (err error) {
				files[i], err = reports.Report(runs, layout, format, dir)
				return err
			})
		}
	}
	failed := group.Wait()
	for i, format := range formats {
		if format == onTerminal {
			w, width, colour := terminal(w)
			failed = cmp.Or(failed, reports.Terminal(w, runs, layout, width, colour))
		}
		for _, f := range files[i] {
			fmt.Fprintln(w, f)
		}
	}
	return failed
}
