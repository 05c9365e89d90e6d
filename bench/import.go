package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/reports/results"
)

// importFlags are the flags of an import.
type importFlags struct {
	suiteFlags
	im     engine.Import
	out    string
	resume bool
}

func (f *importFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.im.Dir, "pred", "", "`folder` of predictions")
	c.Flags().StringVar(&f.im.Name, "as", "", "`name` of the program, as a method of the run")
	c.Flags().BoolVar(&f.im.ReduceZero, "reduce-zero-label", false,
		"label maps are numbered from 1: 0 is none of the classes")
	c.Flags().StringSliceVar(&f.im.Needs, "needs", nil, "what the program needs beyond CLIP, `of` "+
		strings.Join(results.Leagues, ", ")+"; tables say so")
	c.Flags().StringVar(&f.out, "out", "", "`folder` to write")
	f.addData(c)
	c.Flags().BoolVar(&f.resume, "resume", false, "continue an earlier import into --out")
}

func importCommand() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import SUITE --pred DIR --as NAME --out RUN",
		Short: "Make a run of what another program predicted",
		Long: `Make a run of what another program predicted, in any language: data sets, class names, protocol and conventions are the
suite's, its model and methods are not used. The run is like any other: ovbench compare, report and merge take it.

DIR holds a file for each sample, at any depth, named as the sample (ovbench records lists ids), all with one suffix such as
_pred if one likes:

  cat_pred.png                   label map as large as the truth, of the data set's numbers, 255 for none of the classes
  cat.npy [H, W]                 the same as an array of whole numbers
  cat.npy [T, rows, cols]        a plane of scores for each query, or for each class: upsampled and decided as the protocol says
  cat.npy [T]                    scores of the whole picture, for task multilabel

Where DIR holds several of a sample, those below folders called like the data set and like NAME count, and for task
segmentation label maps before scores. Files of no sample are counted. Samples without a file count as failed, and the exit
status is 3.`,
		Example: `  ovbench import voc21 --pred predictions --as mymethod --data /data --out out/mymethod
  ovbench compare out/voc21 out/mymethod --methods clip_surgery,mymethod`,
		Args:              arguments(1, 1),
		ValidArgsFunction: completeSuites,
	}
	f.add(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, flag := range []struct{ name, value string }{{"pred", f.im.Dir}, {"as", f.im.Name}, {"out", f.out}} {
			if flag.value == "" {
				return usagef(c.CommandPath(), "--%s is missing", flag.name)
			}
		}
		for _, n := range f.im.Needs {
			if err := known(n, results.Leagues); err != nil {
				return usagef(c.CommandPath(), "--needs %w", err)
			}
		}
		suite, err := f.load(c, args[0])
		if err != nil {
			return err
		}
		req, err := f.request(c, suite)
		if err != nil {
			return err
		}
		req.Out, req.Jobs, req.Resume, req.Command = f.out, 2, f.resume, append([]string{"ovbench"}, os.Args[1:]...)
		plan, err := engine.NewImport(req, f.im)
		if err != nil {
			return err
		}
		return runPlan(c, plan, f.out, false)
	}
	return c
}
