package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ovbench/bench/cluster"
	"ovbench/reports/plain"
)

func statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status OUT...",
		Short: "Show how far runs are: parts done, running, stopped and missing",
		Long: `Show how far runs are, from what their processes say of themselves every few seconds: parts done, running, stopped (not
heard of for two minutes, told to stop, or by a clock that is off by more) and missing (never begun), samples, failures,
rate and time left. OUT is a run folder, or the --out of several suites or models.`,
		Example: "  ovbench status /scratch/ovs8\n  watch -n 30 ovbench status /scratch/ovs8",
		Args:    arguments(1, -1),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON: a list of runs with their parts")
	c.RunE = func(c *cobra.Command, dirs []string) error {
		list := []cluster.Status{}
		for _, dir := range dirs {
			runs := cluster.Runs(dir)
			if len(runs) == 0 {
				runs = []string{dir}
			}
			for _, run := range runs {
				s, err := cluster.Survey(run, time.Now())
				if err != nil {
					return err
				}
				if s.Shards == 0 && s.Parts[0].Heard == nil && !s.Merged && !hasJob(run) {
					return fmt.Errorf("%s is no run folder: name the --out of ovbench run or submit", run)
				}
				list = append(list, s)
			}
		}
		if asJSON {
			e := json.NewEncoder(c.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(list)
		}
		for i := range list {
			printStatus(plain.Writer{To: c.OutOrStdout()}, &list[i])
		}
		return nil
	}
	return c
}

// printStatus is for people, into a pipe too (watch): w takes out what a terminal would obey in names of hosts and jobs.
func printStatus(w plain.Writer, s *cluster.Status) {
	if s.Shards == 0 && s.Parts[0].Heard == nil && !s.Merged {
		fmt.Fprintf(w, "%s: no part has begun\n", s.Dir)
		return
	}
	var words []string
	for _, state := range []cluster.State{cluster.Done, cluster.Running, cluster.Stopped, cluster.Missing} {
		if n := len(s.Of(state)); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, state))
		}
	}
	what := "run: "
	if s.Shards > 0 {
		what = fmt.Sprintf("%d parts: ", s.Shards)
	}
	fmt.Fprintf(w, "%s: %s%s; %d of %d samples", s.Dir, what, strings.Join(words, ", "), s.Tried, s.Planned)
	if s.Failed > 0 {
		fmt.Fprintf(w, ", %d failed", s.Failed)
	}
	if s.Rate > 0 {
		fmt.Fprintf(w, "; %.3g a second, %v left", s.Rate, max(s.Left.Round(time.Second), time.Second))
	}
	if s.Shards > 0 && s.Merged {
		fmt.Fprint(w, "; joined")
	}
	fmt.Fprintln(w)
	for _, p := range s.Parts {
		switch p.State {
		case cluster.Running:
			fmt.Fprintf(w, "  running%s: %d of %d, %v\n", partName(p.Part), p.Heard.Done, p.Heard.Planned, p.Heard)
		case cluster.Stopped:
			fmt.Fprintf(w, "  stopped%s: %d of %d, %v\n", partName(p.Part), p.Heard.Done, p.Heard.Planned, p.Heard)
		}
	}
	if again := append(s.Of(cluster.Stopped), s.Of(cluster.Missing)...); s.Shards > 0 && len(again) > 0 {
		fmt.Fprintln(w, missingParts(s.Dir, again, s.Shards))
	}
}

// hasJob reports whether a folder has the files of a job, of which no part may have begun yet.
func hasJob(dir string) bool {
	return isFile(filepath.Join(dir, cluster.SlurmJob)) || isFile(filepath.Join(dir, cluster.KubernetesJob))
}

func partName(part int) string {
	if part == 0 {
		return ""
	}
	return fmt.Sprintf(" %d", part)
}

// missingParts names parts that are not there, and what to submit for them where there is a job file.
func missingParts(dir string, parts []int, count int) string {
	text := fmt.Sprintf("missing shards: %s (of %d); submit again: ", strings.Trim(fmt.Sprint(parts), "[]"), count)
	if job := filepath.Join(dir, cluster.SlurmJob); isFile(job) {
		return text + fmt.Sprintf("sbatch --array=%s %s", cluster.Array(parts), cluster.Shell(job))
	}
	return text + "--array=" + cluster.Array(parts)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
