package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ovbench/bench/analysis"
	"ovbench/bench/cluster"
	"ovbench/reports/plain"
	"ovbench/reports/results"
)

func mergeCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "merge OUT | SHARD... --out RUN",
		Short: "Join the shards of a run",
		Long: `Join the parts of a run. The scores are those of a run without shards. OUT is the folder of runs with --shard auto/N:
what is below OUT/shards is joined into OUT, as often as one likes; with several suites or models below OUT, each is.
Or name the folders of all shards, and with --out the one to write. Folders of unlike models, methods, protocols or data are
refused, and so is a sample that is in two. If shards are missing, the rest is joined, the exit status is 3, and the
missing ones are named with what to submit again.`,
		Example: `  ovbench merge out/ovs8
  ovbench merge out/part1 out/part2 --out out/voc20`,
		Args: arguments(1, -1),
	}
	c.Flags().StringVar(&out, "out", "", "`folder` to write (default: OUT)")
	c.RunE = func(c *cobra.Command, dirs []string) error {
		for _, dir := range dirs {
			if _, err := os.Stat(dir); err != nil {
				return fmt.Errorf("%w; name the --out of runs with --shard", err)
			}
		}
		runs := cluster.Runs(dirs[0])
		switch {
		case len(dirs) == 1 && len(runs) == 0 && hasJob(dirs[0]):
			return missingError{fmt.Errorf("no part below %s has begun", dirs[0])}
		case len(dirs) == 1 && len(runs) == 1:
			if out == "" {
				out = runs[0]
			}
			return mergeParts(c, runs[0], out)
		case len(dirs) == 1 && len(runs) > 1 && out == "":
			return mergeAll(c, runs)
		case slices.ContainsFunc(dirs, cluster.Has):
			return usagef(c.CommandPath(), "name one folder of parts, or the folders of all shards")
		case out == "":
			return usagef(c.CommandPath(), "--out is missing: name the folder to write, or one folder that holds shards/")
		}
		r, lacking, err := analysis.Merge(dirs, out)
		if err != nil {
			return err
		}
		if err = summarise(c, r, out); len(lacking) > 0 {
			return missingError{fmt.Errorf("samples are missing of shard%s %s: name their folders too, or run them again with "+
				"--resume", strings.Repeat("s", min(1, len(lacking)-1)), strings.Trim(fmt.Sprint(lacking), "[]"))}
		}
		return err
	}
	return c
}

// mergeAll joins the parts of several runs, those that can be, and says of all what is missing.
func mergeAll(c *cobra.Command, runs []string) error {
	var missing, failed error
	for _, run := range runs {
		fmt.Fprintln(c.OutOrStdout(), plain.Line(run))
		err := mergeParts(c, run, run)
		if m := (missingError{}); err == nil || errors.As(err, &m) {
			missing = errors.Join(missing, err)
		} else {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", run, err))
		}
	}
	if failed != nil && missing != nil {
		failed = fmt.Errorf("%w\n%v", failed, missing)
	}
	return cmp.Or(failed, missing)
}

// mergeParts joins the parts below dir that have results.
func mergeParts(c *cobra.Command, dir, out string) error {
	status, err := cluster.Survey(dir, time.Now())
	if err != nil {
		return err
	}
	var folders []string
	var missing []int
	for _, p := range status.Parts {
		_, err := os.Stat(filepath.Join(p.Dir, results.FileName))
		if p.Dir != "" && err == nil {
			folders = append(folders, p.Dir)
		}
		if p.Dir == "" || err != nil || p.State == cluster.Stopped || p.State == cluster.Running {
			missing = append(missing, p.Part)
		}
	}
	if len(folders) == 0 {
		return missingError{fmt.Errorf("no part below %s has results yet\n%s", dir, missingParts(dir, missing,
			status.Shards))}
	}
	r, _, err := analysis.Merge(folders, out)
	if err != nil {
		return err
	}
	err = summarise(c, r, out)
	if len(missing) > 0 {
		return missingError{errors.New(missingParts(dir, missing, status.Shards))}
	}
	return err
}
