package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ovbench/bench/cluster"
	"ovbench/bench/engine"
	"ovbench/reports/results"
)

// submitFlags are those of a job beside those of its runs.
type submitFlags struct {
	job      cluster.Job
	now      bool
	estimate bool
}

func submitCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "submit slurm|k8s SUITE...",
		Short: "Write the job files of a run in parts, for Slurm or Kubernetes",
		Long: `Write the files of an array job that measures suites in parts, and of the job that joins the parts, into --out. All
parts have one command line and one output folder: each finds out its number by itself (--shard auto/N) and writes
OUT/shards/003-of-016. It saves its work when it is told to stop, and goes on where it was when it is started again.
Flags of ovbench run are passed on. Nothing is submitted unless --now says so.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		Args: subcommand,
		// A scheduler that is not known is the fault to name, not the flags behind it.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	c.AddCommand(submitSlurmCommand(), submitKubernetesCommand())
	return c
}

// addJob adds the flags that both schedulers take, and those of run.
func (f *submitFlags) addJob(c *cobra.Command, r *runFlags) {
	r.add(c)
	c.Flags().Lookup("out").Usage = "`folder` for all parts, the logs and the joined run"
	for _, name := range []string{"shard", "resume", "threads"} { // the job says these
		_ = c.Flags().MarkHidden(name)
	}
	c.Flags().IntVar(&f.job.Shards, "shards", 0, "`N` parts; one should last 20 to 60 minutes (ovbench check estimates)")
	c.Flags().IntVar(&f.job.AtOnce, "at-once", 0, "at most `N` parts at the same time (default: as there are places)")
	c.Flags().IntVar(&f.job.CPUs, "cpus", 4, "`N` cores of a part")
	c.Flags().IntVar(&f.job.GPUs, "gpus", 0, "`N` GPUs of a part")
	c.Flags().StringVar(&f.job.Memory, "mem", "", "`memory` of a part, such as 16G")
	c.Flags().StringVar(&f.job.Time, "time", "", "`limit` of a part, such as 2:00:00")
	c.Flags().StringVar(&f.job.Image, "image", "",
		"`container` to run in: an Apptainer file for Slurm, an image's name for Kubernetes")
	c.Flags().BoolVar(&f.estimate, "estimate", true,
		"measure here what a part takes, as ovbench check does, and say so in the job")
	c.Flags().BoolVar(&f.now, "now", false, "submit the job, too")
}

// fill completes the job from what was typed.
func (f *submitFlags) fill(c *cobra.Command, r *runFlags, suites []string) error {
	if r.out == "" {
		return usagef(c.CommandPath(), "--out is missing: name the folder to write")
	}
	for _, name := range []string{"shard", "resume", "threads"} {
		if c.Flags().Changed(name) {
			return usagef(c.CommandPath(), "--%s is set by the job files: leave it out", name)
		}
	}
	list, err := r.loadAll(c, suites)
	if err == nil {
		err = cluster.CheckOut(r.out)
	}
	if err != nil {
		return err
	}
	j := &f.job
	if j.Out, err = filepath.Abs(r.out); err != nil {
		return err
	}
	var names []string
	for _, a := range list {
		if !slices.Contains(names, a.Name) {
			names = append(names, a.Name)
		}
		j.Runs = append(j.Runs, filepath.Join(j.Out, a.folder))
	}
	suites = slices.Clone(suites)
	for i, name := range suites {
		if strings.HasPrefix(name, "-") {
			name = "./" + name // no flag
		}
		suites[i] = name
		if text, err := os.ReadFile(name); err == nil { // else a built-in one
			j.Suites = append(j.Suites, cluster.Suite{Path: name, Text: string(text)})
		}
	}
	j.Name = strings.Join(names, "-")
	if j.WorkDir, err = os.Getwd(); err != nil {
		return err
	}
	if j.Program, err = os.Executable(); err != nil {
		return err
	}
	j.Args = append(suites, passedOn(c)...)
	if f.estimate && j.Shards > 0 {
		j.Estimate = estimatePart(c, r, list, j.Shards)
	}
	return nil
}

// estimatePart says how long the first of so many parts takes on this machine, or why that is not known: what a job
// needs may lie elsewhere.
func estimatePart(c *cobra.Command, r *runFlags, list []asked, shards int) string {
	bar := newProgress(c.ErrOrStderr())
	defer bar.finish()
	var total time.Duration
	for _, a := range list {
		req, err := r.request(c, a.Suite)
		if err == nil {
			req.Shard = engine.Shard{Index: 1, Count: shards}
			var part time.Duration
			var plan *engine.Plan
			if plan, err = engine.NewPlan(req); err == nil {
				if _, part, err = plan.Estimate(c.Context(), bar); err == nil {
					total += part
					continue
				}
			}
		}
		why, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Fprintf(c.ErrOrStderr(), "ovbench: no estimate: %s\n", why)
		return ""
	}
	words := fmt.Sprintf("about %v a part on a machine like this one, if nothing else uses it",
		max(total.Round(time.Second), time.Second))
	fmt.Fprintf(c.ErrOrStderr(), "ovbench: estimated %s\n", words)
	return words
}

// passedOn spells the flags of ovbench run that were typed.
func passedOn(c *cobra.Command) (args []string) {
	known := pflag.NewFlagSet("run", pflag.ContinueOnError)
	known.AddFlagSet(runCommand().Flags())
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "out" || known.Lookup(f.Name) == nil {
			return
		}
		values := []string{f.Value.String()}
		switch v := f.Value.(type) {
		case *repeated:
			values = v.typed
		case pflag.SliceValue:
			values = v.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return args
}

// write puts the two files into the output folder.
func (f *submitFlags) write(job, merge, jobText, mergeText string) error {
	if err := os.MkdirAll(filepath.Join(f.job.Out, "logs"), 0o777); err != nil { // Slurm makes none
		return err
	}
	return errors.Join(
		results.WriteFile(filepath.Join(f.job.Out, job), []byte(jobText)),
		results.WriteFile(filepath.Join(f.job.Out, merge), []byte(mergeText)))
}

func submitSlurmCommand() *cobra.Command {
	var (
		f submitFlags
		r runFlags
	)
	c := &cobra.Command{
		Use:   "slurm SUITE...",
		Short: "Write an array job for Slurm, and the job that joins its parts",
		Long: `Write OUT/job.sbatch, an array of --shards parts, and OUT/merge.sbatch, which joins them and makes the report
whatever became of the parts: it exits with 3 if any is missing, and its log names the parts to submit again.`,
		Example: `  ovbench submit slurm ovs8 --shards 32 --at-once 8 --cpus 16 --mem 32G --time 2:00:00 \
      --data /data --model openai/clip-vit-base-patch16 --out /scratch/ovs8
  ovbench submit slurm voc21 --shards 4 --sbatch=--qos=short --data /data --out out/voc21 --now`,
		Args:              arguments(1, -1),
		ValidArgsFunction: completeSuites,
	}
	f.addJob(c, &r)
	c.Flags().StringVar(&f.job.Partition, "partition", "", "Slurm `partition`")
	c.Flags().StringVar(&f.job.Account, "account", "", "Slurm `account`")
	c.Flags().StringArrayVar(&f.job.Sbatch, "sbatch", nil, "a further `option` of sbatch, such as --sbatch=--qos=short")
	c.RunE = func(c *cobra.Command, suites []string) error {
		if err := f.fill(c, &r, suites); err != nil {
			return err
		}
		job, merge, err := f.job.Slurm()
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		if err := f.write(cluster.SlurmJob, cluster.SlurmMerge, job, merge); err != nil {
			return err
		}
		jobFile, mergeFile := filepath.Join(f.job.Out, cluster.SlurmJob), filepath.Join(f.job.Out, cluster.SlurmMerge)
		if !f.now {
			fmt.Fprintf(c.OutOrStdout(), "id=$(sbatch --parsable %s)\nsbatch --dependency=afterany:${id%%%%;*} %s\n",
				cluster.Shell(jobFile), cluster.Shell(mergeFile))
			return nil
		}
		id, err := sbatch(c, jobFile)
		if err != nil {
			return err
		}
		next, err := sbatch(c, "--dependency=afterany:"+id, mergeFile)
		if err != nil {
			return fmt.Errorf("job %s is submitted, the one that joins its parts is not: %w", id, err)
		}
		fmt.Fprintf(c.OutOrStdout(), "job %s with %d parts, job %s to join them; ovbench status %s\n", id, f.job.Shards, next,
			cluster.Shell(f.job.Out))
		return nil
	}
	return c
}

var jobID = regexp.MustCompile(`^\d+`)

// sbatch submits a job and returns its number.
func sbatch(c *cobra.Command, args ...string) (string, error) {
	run := exec.CommandContext(c.Context(), "sbatch", append([]string{"--parsable"}, args...)...)
	var failure strings.Builder
	run.Stderr = &failure
	out, err := run.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("sbatch is not on this machine: leave out --now, and submit the files where it is")
	}
	if err != nil {
		return "", fmt.Errorf("sbatch: %w: %s", err, strings.TrimSpace(failure.String()))
	}
	id := jobID.FindString(strings.TrimSpace(string(out)))
	if id == "" {
		return "", fmt.Errorf("sbatch answered %.100q, which is no job", out)
	}
	return id, nil
}

func submitKubernetesCommand() *cobra.Command {
	var (
		f submitFlags
		r runFlags
	)
	c := &cobra.Command{
		Use:     "k8s SUITE...",
		Aliases: []string{"kubernetes"},
		Short:   "Write an Indexed Job for Kubernetes, and the Job that joins its parts",
		Long: `Write OUT/job.yaml, an Indexed Job of --shards parts, and OUT/merge.yaml, a Job to create when it is complete. Data
and weights are read from the volume claim --data-claim, mounted at /data; results go to --out-claim, mounted at /out,
which all pods must be able to write (ReadWriteMany). A suite that is a file travels in a ConfigMap.`,
		Example: `  ovbench submit k8s ovs8 --shards 32 --at-once 8 --cpus 16 --mem 32G --image registry.example/ovbench:1 \
      --data-claim datasets --out-claim results --model openai/clip-vit-base-patch16 --out jobs/ovs8`,
		Args:              arguments(1, -1),
		ValidArgsFunction: completeSuites,
	}
	f.addJob(c, &r)
	c.Flags().StringVar(&f.job.DataClaim, "data-claim", "", "volume `claim` with data sets and weights, mounted at /data")
	c.Flags().StringVar(&f.job.OutClaim, "out-claim", "", "volume `claim` for results, mounted at /out")
	c.RunE = func(c *cobra.Command, suites []string) error {
		if err := f.fill(c, &r, suites); err != nil {
			return err
		}
		job, merge, err := f.job.Kubernetes()
		if err != nil {
			return usageError{err, c.CommandPath()}
		}
		if err := f.write(cluster.KubernetesJob, cluster.KubernetesMerge, job, merge); err != nil {
			return err
		}
		apply := []string{"kubectl", "apply", "-f", filepath.Join(f.job.Out, cluster.KubernetesJob)}
		if !f.now {
			fmt.Fprintln(c.OutOrStdout(), cluster.Shell(apply...))
			return nil
		}
		run := exec.CommandContext(c.Context(), apply[0], apply[1:]...)
		run.Stdout, run.Stderr = c.OutOrStdout(), c.ErrOrStderr()
		if err := run.Run(); err != nil {
			return fmt.Errorf("kubectl apply: %w", err)
		}
		return nil
	}
	return c
}
