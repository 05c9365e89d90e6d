package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/analysis"
	"ovbench/reports"
)

// comparison is one call of compare.
type comparison struct {
	analysis.CompareRequest
	out       string
	below     string // percent points; "" for no check
	confident bool
	asJSON    bool
	formats   []string
	labels    []string
	digits    int
}

// mostDraws bounds --resamples and --flips, as suites bound their resamples: what is drawn is kept in memory.
const mostDraws = 1_000_000

func compareCommand() *cobra.Command {
	var cmp comparison
	c := &cobra.Command{
		Use:   "compare RUN [RUN]",
		Short: "Say whether one run is better than another",
		Long: `Compare two run folders, or with --methods two methods of one, from their results and records alone.
For every cell that both have, the difference of the headline score (B minus A, in percent points) is shown with

  Interval         of the difference: both sides pooled anew over the same draws of the images
  p, Holm          of the paired test image by image (sign flips; McNemar for hits and misses), adjusted over all cells
  Won, Lost, Tied  images where B is higher, lower, equal; then the images that moved most

Runs of unlike protocols, data or class names are refused, and told apart field by field; models and parameters
may differ and are named above the table.

--fail-below X makes the exit status 1 where the difference of any cell is less than X percent points, as shown in
the table; with --confident, where the lower bound of its interval is. A test that nothing got worse by more than half
a point: ovbench compare base new --fail-below -0.5 --confident`,
		Example: "  ovbench compare out/before out/after --out out/compared\n  ovbench compare out/voc20 --methods " +
			"clip,clip_surgery",
		Args: arguments(1, 2),
	}
	f := c.Flags()
	f.StringSliceVar(&cmp.Methods, "methods", nil,
		"a method of A and one of B (default: every method that both runs have)")
	f.StringSliceVar(&cmp.Scores, "score", nil, "`names` of the scores to compare (default: the headline of each cell)")
	f.BoolVar(&cmp.AcrossProtocols, "across-protocols", false,
		"compare runs of unlike protocols, data, class names, devices or precisions all the same")
	f.IntVar(&cmp.Resamples, "resamples", 2000, "bootstrap resamples of the images behind intervals; 0 for none")
	f.IntVar(&cmp.Flips, "flips", 10000, "random sign patterns behind p, where there are more than 20 images")
	f.Uint64Var(&cmp.Seed, "seed", 0, "seed of the resamples and the sign patterns")
	f.IntVar(&cmp.Moved, "moved", 5, "images to list for each cell")
	f.StringVar(&cmp.below, "fail-below", "", "exit with 1 if a difference is less than `X` percent points")
	f.BoolVar(&cmp.confident, "confident", false, "with --fail-below: judge the lower bound of the interval")
	f.BoolVar(&cmp.asJSON, "json", false, "print JSON")
	f.StringVar(&cmp.out, "out", "",
		"`folder` for compare.md, .json, .csv, .tex and .html, images.csv, and panels of the images that moved most")
	f.StringSliceVar(&cmp.formats, "format", nil, "`formats` of --out: "+strings.Join(reports.ComparisonFormats(),
		", ")+" (default: all)")
	f.IntVar(&cmp.digits, "digits", 2, "decimals of percentages in tables")
	f.StringArrayVar(&cmp.labels, "label", nil, "`name` of a run in place of its folder; twice, for A and B")
	c.RunE = cmp.run
	return c
}

// limit is --fail-below as a number, after all flags have been found in order.
func (cmp *comparison) limit(usage string, dirs []string) (float64, error) {
	limit, err := strconv.ParseFloat(cmp.below, 64)
	switch {
	case cmp.below == "" && cmp.confident:
		return 0, usagef(usage, "--confident goes with --fail-below")
	case cmp.below != "" && (err != nil || math.IsNaN(limit) || math.IsInf(limit, 0)):
		return 0, usagef(usage, "--fail-below %q: want percent points, such as -0.5", cmp.below)
	case len(cmp.Methods) != 0 && len(cmp.Methods) != 2:
		return 0, usagef(usage, "--methods names %d methods; want one of A and one of B, such as clip,clip_surgery",
			len(cmp.Methods))
	case len(dirs) == 1 && len(cmp.Methods) == 0:
		return 0, usagef(usage, "one run: name a second, or two methods with --methods")
	case cmp.digits < 1 || cmp.digits > 6:
		return 0, usagef(usage, "--digits %d: want 1 to 6", cmp.digits)
	case len(cmp.labels) > 2 || len(cmp.labels) > 0 && len(cmp.labels) != len(dirs):
		return 0, usagef(usage, "--label is given %d times for %d runs; name each once", len(cmp.labels), len(dirs))
	case len(cmp.formats) > 0 && cmp.out == "":
		return 0, usagef(usage, "--format goes with --out")
	case cmp.Resamples < 0 || cmp.Resamples > mostDraws || cmp.Flips < 1 || cmp.Flips > mostDraws || cmp.Moved < 0:
		return 0, usagef(usage, "--resamples %d --flips %d --moved %d: want counts, of resamples and flips at most %d",
			cmp.Resamples, cmp.Flips, cmp.Moved, mostDraws)
	}
	return limit, nil
}

func (cmp *comparison) run(c *cobra.Command, dirs []string) error {
	for _, f := range cmp.formats {
		if err := known(f, reports.ComparisonFormats()); err != nil {
			return usagef(c.CommandPath(), "--format %w", err)
		}
	}
	limit, err := cmp.limit(c.CommandPath(), dirs)
	if err != nil {
		return err
	}
	cmp.A, cmp.B = dirs[0], dirs[len(dirs)-1]
	compared, err := analysis.Compare(cmp.CompareRequest)
	if err != nil {
		return err
	}
	if compared.Digits = cmp.digits; len(cmp.labels) > 0 {
		compared.A.Label, compared.B.Label = cmp.labels[0], cmp.labels[len(cmp.labels)-1]
	}
	if cmp.asJSON {
		err = compared.JSON(c.OutOrStdout())
	} else {
		err = compared.Terminal(terminal(c.OutOrStdout()))
	}
	if err == nil && cmp.out != "" {
		err = writeComparison(c, compared, cmp.out, cmp.formats)
	}
	if err != nil || cmp.below == "" {
		return err
	}
	return compared.Below(limit/100, cmp.confident)
}

// writeComparison writes a comparison's files and says where, and how to get panels if there are none.
func writeComparison(c *cobra.Command, compared *reports.Comparison, dir string, formats []string) error {
	files, err := compared.Write(dir, formats...)
	for _, f := range files {
		fmt.Fprintln(c.ErrOrStderr(), "wrote", f)
	}
	if err != nil {
		return err
	}
	drawn := slices.ContainsFunc(files, func(f string) bool { return filepath.Ext(f) == ".png" })
	if ids := compared.MovedIDs(); len(ids) > 0 && !drawn && (len(formats) == 0 || slices.Contains(formats, "png")) {
		fmt.Fprintf(c.ErrOrStderr(),
			"no panels: the runs kept none of the images that moved most; ovbench run SUITE --only %s --out DIR draws them\n",
			strings.Join(ids, ","))
	}
	return nil
}
