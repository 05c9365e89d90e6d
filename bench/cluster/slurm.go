package cluster

import (
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"
)

// The files of a job for Slurm, in its output folder.
const (
	SlurmJob   = "job.sbatch"
	SlurmMerge = "merge.sbatch"
)

//go:embed job.sbatch
var slurmJob string

//go:embed merge.sbatch
var slurmMerge string

// maxRequeues bounds how often a part that was told to stop is put back by itself.
const maxRequeues = 20

// Slurm writes the file of the array job, and that of the job that joins its parts and makes the report.
func (j *Job) Slurm() (job, merge string, err error) {
	if err := j.Check(); err != nil {
		return "", "", err
	}
	if job, err = j.fill("job", slurmJob); err != nil {
		return "", "", err
	}
	merge, err = j.fill("merge", slurmMerge)
	return job, merge, err
}

func (j *Job) fill(name, text string) (string, error) {
	t, err := template.New(name).Funcs(template.FuncMap{"shell": Shell}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{
		"Job": j, "Label": j.label(), "Log": j.log("%A_%a.log"), "MergeLog": j.log("merge_%j.log"),
		"Array": j.array(), "Requeues": maxRequeues,
		"Run":   j.slurmCommand(j.run(j.Out)...) + ` --threads "$SLURM_CPUS_PER_TASK"`,
		"Merge": j.slurmCommand("merge", j.Out), "Report": j.slurmCommand(append(append([]string{"report"}, j.Runs...),
			"--format", "md,html,json", "--out", filepath.Join(j.Out, "report"))...),
	})
	return b.String(), err
}

// log is the path of a log, in whose name alone Slurm is to fill in numbers.
func (j *Job) log(name string) string {
	return quoted(filepath.Join(strings.ReplaceAll(j.Out, "%", "%%"), "logs", name))
}

// array is all parts, as many at the same time as were asked for.
func (j *Job) array() string {
	a := fmt.Sprintf("0-%d", j.Shards-1)
	if j.AtOnce > 0 {
		a += fmt.Sprintf("%%%d", j.AtOnce)
	}
	return a
}

// slurmCommand is a command line of ovbench, in its container if there is one.
func (j *Job) slurmCommand(args ...string) string {
	if j.Image == "" {
		return Shell(append([]string{j.Program}, args...)...)
	}
	container := []string{"apptainer", "run", "--bind", j.Out, "--bind", j.WorkDir, "--pwd", j.WorkDir,
		"--env", "OVBENCH_CACHE=" + filepath.Join(j.Out, "cache")} // the image's own is where no folder is bound
	if j.GPUs > 0 {
		container = append(container, "--nv")
	}
	return Shell(append(append(container, j.Image), args...)...)
}

// quoted is a path in an #SBATCH line, where blanks need quotes.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t\"'\\") {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
	}
	return path
}
