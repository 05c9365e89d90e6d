package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ovbench/bench/tasks"
	"ovbench/datasets"
	"ovbench/runners/methods"
)

// Check opens all that a request names and looks at every file of its data sets, keeping nothing. The lines say what
// was found and, if there is no fault, what a run would take; tabs part the columns of tables. The error joins every
// fault.
func Check(ctx context.Context, r Request, progress tasks.Progress) (lines []string, err error) {
	p, planErr := NewPlan(r)
	faults := []error{planErr}
	if p.model != nil {
		lines = append(lines, fmt.Sprintf("model %s: %s, %s, %s", p.model.Name, p.model.Config.Name(), p.model.Format,
			p.model.Config.Vision.Activation))
		for _, a := range p.model.Assumed {
			lines = append(lines, "  assumed "+a)
		}
	}
	for _, b := range p.backbones {
		lines = append(lines, fmt.Sprintf("backbone %s %s: %s, %s", b.Role, b.Name, b.Kind, b.Format))
		for _, a := range b.Assumed {
			lines = append(lines, "  assumed "+a)
		}
	}
	if s := p.segmenter; s != nil {
		lines = append(lines, fmt.Sprintf("segmenter %s: %s", s.Asked, s.Name))
		for _, n := range s.Notes {
			lines = append(lines, "  "+n)
		}
	}
	if p.library != nil {
		lines = append(lines, fmt.Sprintf("runtime: onnxruntime %s, %s", p.library.Version, p.library.Path))
	}
	if len(p.methods) > 0 {
		lines = append(lines, "methods:")
	}
	for i, m := range p.methods {
		kind := r.Suite.Methods[i].Kind
		if kind == m.Name {
			kind = ""
		}
		lines = append(lines, "  "+m.Name+"\t"+strings.TrimSpace(kind+" "+ParamText(methods.Params(m.Method))))
	}
	if planErr == nil && p.councils() {
		out := p.describe()
		faults = append(faults, errors.Join(hashAll(out), p.checkWeights(out)))
	}
	for i := range p.targets {
		t := &p.targets[i]
		progress.Start("checking "+t.Info.Name, t.Dataset.Len())
		found := datasets.Inspect(ctx, t.Dataset,
			datasets.InspectOptions{Report: func(done, total int) { progress.At(done * t.Dataset.Len() / max(total, 1)) }})
		if err := ctx.Err(); err != nil {
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("data set %s %s: %d samples in %s, %d classes, %d queries (%s)",
			t.Info.Name, t.Info.Split, t.Dataset.Len(), cmp.Or(t.Info.Root, "the program itself"), len(t.Info.Classes),
			len(t.Texts), t.set))
		if e := t.council.describe(); e != nil {
			lines = append(lines, "  "+e.Note())
		}
		for _, n := range t.Info.Notes {
			lines = append(lines, "  "+n)
		}
		if len(t.network) == len(p.methods) {
			departing := p.departing(t)
			for _, m := range slices.Sorted(maps.Keys(departing)) {
				lines = append(lines, fmt.Sprintf("  method %s here: %s", m, ParamText(departing[m])))
			}
		}
		lines = append(lines, histogram(t.Info, found)...)
		for _, f := range found.Faults {
			if f.Warning() { // a part of a data set may be measured
				lines = append(lines, "  warning: "+f.Error())
				continue
			}
			faults = append(faults, fmt.Errorf("%s: %w", t.Info.Name, f))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return lines, err
	}
	estimate, _, err := p.Estimate(ctx, progress)
	return append(lines, estimate...), err
}

// ParamText is a method's parameters as people read them: {depth: 6}, or nothing.
func ParamText(params map[string]any) string {
	if len(params) == 0 {
		return ""
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(params)) {
		parts = append(parts, fmt.Sprintf("%s: %v", k, params[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// histogram says how often each class occurs, most pixels or images first, and which never does.
func histogram(info datasets.Info, found datasets.Inspection) (lines []string) {
	order := make([]int, len(info.Classes))
	var pixels int64
	for c := range order {
		order[c] = c
		pixels += found.Pixels[c]
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(found.Pixels[b], found.Pixels[a]), cmp.Compare(found.Images[b], found.Images[a]))
	})
	var absent []string
	if pixels > 0 {
		lines = append(lines, "  pixels\timages\tclass")
	} else {
		lines = append(lines, "  images\tclass")
	}
	for _, c := range order {
		switch {
		case found.Images[c] == 0:
			absent = append(absent, info.Classes[c])
		case pixels > 0:
			lines = append(lines, fmt.Sprintf("  %4.1f %%\t%6d\t%s",
				100*float64(found.Pixels[c])/float64(pixels), found.Images[c], info.Classes[c]))
		default:
			lines = append(lines, fmt.Sprintf("  %6d\t%s", found.Images[c], info.Classes[c]))
		}
	}
	if len(absent) > 0 {
		lines = append(lines, "  in no image: "+strings.Join(absent, ", "))
	}
	if pixels > 0 {
		lines = append(lines, fmt.Sprintf("  %.1f %% of all pixels are ignored",
			100*float64(found.Ignored)/float64(pixels+found.Ignored)))
	}
	return lines
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
