package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/analysis"
	"ovbench/bench/engine"
	"ovbench/configs"
	"ovbench/reports"
	"ovbench/reports/results"
)

// auditing is one call of audit.
type auditing struct {
	engine.Redecision
	step    float64
	seed    uint64
	out     string
	formats []string
	asJSON  bool
}

func auditCommand() *cobra.Command {
	var a auditing
	c := &cobra.Command{
		Use:   "audit RUN...",
		Short: "Say what names, thresholds and decisions are worth, from kept maps",
		Long: `Decide the pixels of runs again, without a network, from the truth and the maps that they kept (run --save maps):

  naming gap        the same method by plain class names and by other words, at the protocols' thresholds and the best
  threshold curve   mIoU at thresholds from 0 to 1, of data sets with background
  decisions         joined words (aliases), margins (background_rule), and an oracle that knows the classes of each
                    picture, which is an upper bound and marked as one

For a gap there must be maps of one data set by both lists of words, in one run or in two of one protocol. A suite
measures both in one pass (see audit_voc21):

  datasets: [voc21, {name: voc21, id: voc21-plain, queries: plain}]

Maps of windows are kept stitched, at the centres of patches: what is decided from them is near to what was recorded,
not equal, and tables say so. The folder --out gets tables, figures (naming-gap, threshold-curve-…) and documents.`,
		Example: `  ovbench run audit_voc21 --model openai/clip-vit-base-patch16 --data /data --save maps --out out/names
  ovbench audit out/names --out out/names/audit --format html,png`,
		Args: arguments(1, -1),
	}
	f := c.Flags()
	f.StringVar(&a.out, "out", "", "`folder` to write (default: nothing is written)")
	f.StringSliceVar(&a.formats, "format", []string{"html", "json", "png"},
		"`formats` of --out: "+strings.Join(reports.AuditFormats(), ", "))
	f.StringVar(&a.Data, "data", "", "`root` of the data sets (default: as the runs had it)")
	f.StringSliceVar(&a.Methods, "methods", nil, "`names` of the methods (default: all)")
	f.StringSliceVar(&a.Datasets, "datasets", nil, "`names` of the data sets (default: all)")
	f.Float64Var(&a.step, "step", 0.05, "between thresholds, from 0.001 to 0.5")
	f.IntVar(&a.Resamples, "resamples", 1000, "bootstrap resamples of the images behind intervals; 0 for none")
	f.Uint64Var(&a.seed, "seed", 0, "seed of the resamples")
	f.BoolVar(&a.asJSON, "json", false, "print JSON")
	c.RunE = a.run
	return c
}

func (a *auditing) run(c *cobra.Command, dirs []string) error {
	for _, f := range a.formats {
		if err := known(f, reports.AuditFormats()); err != nil {
			return usagef(c.CommandPath(), "--format %w", err)
		}
	}
	switch {
	case c.Flag("format").Changed && a.out == "":
		return usagef(c.CommandPath(), "--format goes with --out")
	case !(a.step >= 0.001 && a.step <= 0.5):
		return usagef(c.CommandPath(), "--step %v: want 0.001 to 0.5", a.step)
	case a.Resamples < 0 || a.Resamples > mostDraws:
		return usagef(c.CommandPath(), "--resamples %d: want 0 to %d", a.Resamples, mostDraws)
	}
	a.Variants = func(d *results.Dataset, p configs.Protocol) (out []engine.Variant) {
		for _, v := range analysis.AuditVariants(d, p, a.step) {
			out = append(out, engine.Variant(v))
		}
		return out
	}
	var list []analysis.Audited
	bar := newProgress(c.ErrOrStderr())
	defer bar.finish()
	for _, dir := range dirs {
		source, err := results.Read(dir)
		if err != nil {
			return err
		}
		if d := slices.IndexFunc(source.Datasets, func(d results.Dataset) bool { return d.Oracle() }); d >= 0 {
			return fmt.Errorf("%s has an oracle vocabulary on %s: audit a run where all classes compete", dir,
				source.Datasets[d].Name)
		}
		q := a.Redecision
		q.Dir = dir
		sets, err := engine.Redecide(c.Context(), q, bar)
		if err != nil {
			return err
		}
		for _, s := range sets {
			list = append(list, analysis.Audited{Dir: dir, Source: source, Run: s.Run, Records: s.Records, Set: s.Set,
				Protocol: s.Protocol, Missing: s.Missing, Whole: s.Whole, Unrefined: s.Unrefined, Step: a.step,
				Label: engine.Label})
		}
	}
	bar.finish()
	audit, err := analysis.Audit(list, analysis.PairOptions{Resamples: a.Resamples, Seed: a.seed})
	if err != nil {
		return err
	}
	if a.asJSON {
		err = audit.JSON(c.OutOrStdout())
	} else {
		err = audit.Terminal(terminal(c.OutOrStdout()))
	}
	if a.out != "" {
		files, writing := audit.Write(a.out, a.formats)
		for _, f := range files {
			fmt.Fprintln(c.ErrOrStderr(), "wrote", f)
		}
		err = errors.Join(err, writing)
	}
	return err
}
