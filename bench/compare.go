package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
)

func compareCommand() *cobra.Command {
	var (
		req       engine.CompareRequest
		out       string
		below     string
		confident bool
		asJSON    bool
	)
	c := &cobra.Command{
		Use:   "compare RUN RUN",
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
		Example: "  ovbench compare out/before out/after --out out/compared\n  ovbench compare out/voc20 --methods clip,clip_surgery",
		Args:    cobra.RangeArgs(1, 2),
	}
	f := c.Flags()
	f.StringSliceVar(&req.Methods, "methods", nil, "a method of A and one of B (default: every method that both runs have)")
	f.StringSliceVar(&req.Scores, "score", nil, "`names` of the scores to compare (default: the headline of each cell)")
	f.BoolVar(&req.AcrossProtocols, "across-protocols", false, "compare runs of unlike protocols, data or class names all the same")
	f.IntVar(&req.Resamples, "resamples", 2000, "bootstrap resamples of the images behind intervals; 0 for none")
	f.IntVar(&req.Flips, "flips", 10000, "random sign patterns behind p, where there are more than 20 images")
	f.Uint64Var(&req.Seed, "seed", 0, "of both")
	f.IntVar(&req.Moved, "moved", 5, "images to list for each cell")
	f.StringVar(&below, "fail-below", "", "exit with 1 if a difference is less than `X` percent points")
	f.BoolVar(&confident, "confident", false, "with --fail-below: judge the lower bound of the interval")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.StringVar(&out, "out", "", "`folder` for compare.md, .json, .csv and .tex, images.csv, and panels of the images that moved most")
	c.RunE = func(c *cobra.Command, dirs []string) error {
		limit, err := strconv.ParseFloat(below, 64)
		switch {
		case below == "" && confident:
			return usagef(c.CommandPath(), "--confident goes with --fail-below")
		case below != "" && (err != nil || math.IsNaN(limit) || math.IsInf(limit, 0)):
			return usagef(c.CommandPath(), "--fail-below %q: want percent points, such as -0.5", below)
		case len(req.Methods) != 0 && len(req.Methods) != 2:
			return usagef(c.CommandPath(), "--methods names %d methods; want one of A and one of B, such as clip,clip_surgery", len(req.Methods))
		case len(dirs) == 1 && len(req.Methods) == 0:
			return usagef(c.CommandPath(), "one run: name a second, or two methods with --methods")
		case req.Resamples < 0 || req.Flips < 1 || req.Moved < 0:
			return usagef(c.CommandPath(), "--resamples %d --flips %d --moved %d: want counts", req.Resamples, req.Flips, req.Moved)
		}
		req.A, req.B = dirs[0], dirs[len(dirs)-1]
		compared, err := engine.Compare(req)
		if err != nil {
			return err
		}
		if asJSON {
			err = compared.JSON(c.OutOrStdout())
		} else {
			width, colour := terminal(c.OutOrStdout())
			err = compared.Terminal(c.OutOrStdout(), width, colour)
		}
		if err != nil {
			return err
		}
		if out != "" {
			files, err := compared.Write(out)
			for _, f := range files {
				fmt.Fprintln(c.ErrOrStderr(), "wrote", f)
			}
			if err != nil {
				return err
			}
			if ids := compared.MovedIDs(); len(ids) > 0 && !slices.ContainsFunc(files, func(f string) bool { return filepath.Ext(f) == ".png" }) {
				fmt.Fprintf(c.ErrOrStderr(), "no panels: the runs kept none of the images that moved most; ovbench run SUITE --only %s --out DIR draws them\n", strings.Join(ids, ","))
			}
		}
		if below == "" {
			return nil
		}
		return compared.Below(limit/100, confident)
	}
	return c
}
