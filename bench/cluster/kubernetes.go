package cluster

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

// The files of a job for Kubernetes.
const (
	KubernetesJob   = "job.yaml"
	KubernetesMerge = "merge.yaml"
)

//go:embed job.yaml
var kubernetesJob string

//go:embed merge.yaml
var kubernetesMerge string

// Where volumes stand in a container.
const (
	dataMount   = "/data"
	outMount    = "/out"
	suitesMount = "/suites"
)

// Kubernetes writes an Indexed Job with what it needs, and the Job that joins its parts, to be created when the first
// one is complete. Data are read from one volume claim and results written to another.
func (j *Job) Kubernetes() (job, merge string, err error) {
	faults := []error{j.Check()}
	for _, f := range []struct{ flag, value string }{{"image", j.Image}, {"data-claim", j.DataClaim},
		{"out-claim", j.OutClaim}} {
		if f.value == "" {
			faults = append(faults, fmt.Errorf("--%s is missing: pods see nothing of this machine", f.flag))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return "", "", err
	}
	limit, err := seconds(j.Time)
	if err != nil {
		return "", "", err
	}
	values := map[string]any{
		"Job": j, "Label": j.label(), "Limit": limit, "Out": outMount, "Data": dataMount, "Suites": j.configMap(),
		"SuitesAt": suitesMount,
		"Run":      append(j.run(outMount), "--threads", fmt.Sprint(j.CPUs)), "Parallel": j.Shards, "Merge": []string{"merge",
			outMount},
	}
	if j.AtOnce > 0 {
		values["Parallel"] = min(j.AtOnce, j.Shards)
	}
	args := values["Run"].([]string)
	for _, s := range j.Suites {
		for i, a := range args {
			if a == s.Path {
				args[i] = path.Join(suitesMount, key(s.Path))
			}
		}
	}
	if !slices.ContainsFunc(args, func(a string) bool { return a == "--data" || strings.HasPrefix(a, "--data=") }) {
		values["Run"] = append(args, "--data", dataMount)
	}
	if job, err = fillYAML("job", kubernetesJob, values); err != nil {
		return "", "", err
	}
	merge, err = fillYAML("merge", kubernetesMerge, values)
	return job, merge, err
}

// fillYAML fills in a manifest. A JSON string is a string of YAML too, whatever it holds.
func fillYAML(name, text string, values map[string]any) (string, error) {
	t, err := template.New(name).Funcs(template.FuncMap{"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	}}).Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, values)
	return b.String(), err
}

// configMap is the text of each suite that is a file, under its key.
func (j *Job) configMap() map[string]string {
	out := map[string]string{}
	for _, s := range j.Suites {
		out[key(s.Path)] = s.Text
	}
	return out
}

// key is the name of a file as keys of a ConfigMap are written.
func key(file string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '_'
	}, filepath.Base(file))
}
