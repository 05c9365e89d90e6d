package main

import (
	"os"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
)

func importCommand() *cobra.Command {
	var (
		f      suiteFlags
		im     engine.Import
		out    string
		resume bool
	)
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

Where DIR holds several of a sample, those below folders called like the data set and like NAME count. Samples without a
file count as failed, and the exit status is 3.`,
		Example: `  ovbench import voc21 --pred predictions --as mymethod --data /data --out out/mymethod
  ovbench compare out/voc21 out/mymethod --methods clip_surgery,mymethod`,
		Args:              arguments(1, 1),
		ValidArgsFunction: completeSuites,
	}
	c.Flags().StringVar(&im.Dir, "pred", "", "`folder` of predictions")
	c.Flags().StringVar(&im.Name, "as", "", "`name` of the program, as a method of the run")
	c.Flags().BoolVar(&im.ReduceZero, "reduce-zero-label", false, "label maps are numbered from 1: 0 is none of the classes")
	c.Flags().StringVar(&out, "out", "", "`folder` to write")
	c.Flags().StringVar(&f.data, "data", os.Getenv("OVBENCH_DATA"), "`root` of the data sets (default: OVBENCH_DATA)")
	c.Flags().IntVar(&f.limit, "limit", 0, "import the first `N` samples of each data set")
	c.Flags().StringSliceVar(&f.only, "only", nil, "import these sample `ids`")
	c.Flags().StringArrayVar(&f.set, "set", nil, "change the suite: `key=value`, such as protocol.threshold=0.3")
	c.Flags().BoolVar(&resume, "resume", false, "continue an earlier import into --out")
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, flag := range []struct{ name, value string }{{"pred", im.Dir}, {"as", im.Name}, {"out", out}} {
			if flag.value == "" {
				return usagef(c.CommandPath(), "--%s is missing", flag.name)
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
		req.Out, req.Jobs, req.Resume, req.Command = out, 2, resume, append([]string{"ovbench"}, os.Args[1:]...)
		plan, err := engine.NewImport(req, im)
		if err != nil {
			return err
		}
		return runPlan(c, plan, out)
	}
	return c
}
