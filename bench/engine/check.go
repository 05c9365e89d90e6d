package engine

import (
	"context"
	"errors"
	"fmt"

	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/runners/methods"
)

// Known is what suites may name.
func Known() configs.Known {
	k := configs.Known{Methods: map[string][]string{}}
	for _, name := range methods.Names() {
		k.Methods[name] = methods.ParamNames(name)
	}
	for _, e := range datasets.All {
		k.Datasets = append(k.Datasets, e.Name)
	}
	return k
}

// Check opens all that a request names and looks at every file of its data sets, measuring nothing. The lines
// say what was found; the error joins every fault.
func Check(ctx context.Context, r Request, tell Progress) (lines []string, err error) {
	p, planErr := NewPlan(r)
	faults := []error{planErr}
	if p.model != nil {
		lines = append(lines, fmt.Sprintf("model %s: %s, %s, %s", p.model.Name, p.model.Config.Name(), p.model.Format, p.model.Config.Vision.Activation))
		for _, a := range p.model.Assumed {
			lines = append(lines, "  assumed "+a)
		}
	}
	if p.library != nil {
		lines = append(lines, fmt.Sprintf("runtime: onnxruntime %s, %s", p.library.Version, p.library.Path))
	}
	for i, m := range p.methods {
		lines = append(lines, fmt.Sprintf("method %s: %s %v", m.Name, r.Suite.Methods[i].Kind, methods.Params(m.Method)))
	}
	for i := range p.jobs {
		j := &p.jobs[i]
		tell.Start("checking "+j.info.Name, j.dataset.Len())
		found := datasets.Verify(ctx, j.dataset, func(done, _ int) { tell.At(done) })
		if err := ctx.Err(); err != nil {
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("data set %s %s: %d samples in %s, %d classes, %d queries (%s)",
			j.info.Name, j.info.Split, j.dataset.Len(), j.info.Root, len(j.info.Classes), len(j.texts), j.set))
		for _, f := range found {
			if f.Kind == datasets.WrongCount { // a part of a data set may be measured
				lines = append(lines, "  warning: "+f.Error())
				continue
			}
			faults = append(faults, fmt.Errorf("%s: %w", j.info.Name, f))
		}
	}
	return lines, errors.Join(faults...)
}

// FindData says which data sets lie below root, one line each.
func FindData(root string) (lines []string) {
	for _, e := range datasets.All {
		ds, err := e.Open(datasets.Options{Root: root})
		if err != nil {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %d samples in %s", e.Name, ds.Len(), ds.Info().Root))
	}
	return lines
}
