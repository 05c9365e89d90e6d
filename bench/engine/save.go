package engine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/datasets/labelmap"
	"ovbench/reports/draw"
	"ovbench/reports/results"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// panelList names the pictures a plan will keep.
func (p *Plan) panelList() []results.Panel {
	var out []results.Panel
	for _, t := range p.targets {
		for _, i := range t.panels {
			id := t.Dataset.ID(i)
			dir := records.PanelDir(t.Info.Name, id)
			panel := results.Panel{Dataset: t.Info.Name, ID: id, Image: path.Join(dir, "image.png"),
				Truth: path.Join(dir, "truth.png"), Predictions: map[string]string{}}
			for _, m := range p.methods {
				panel.Predictions[m.Name] = path.Join(dir, "labels "+records.Clean(m.Name)+".png")
			}
			out = append(out, panel)
		}
	}
	return out
}

// save keeps what was asked for of one sample: its panel, label maps, similarities.
func (r *run) save(t *target, v *tasks.View, made *tasks.Measured) error {
	labels := made.Labels
	panel := slices.Contains(t.panels, v.Index) && v.Sample.Labels.W > 0
	if !t.Whole && (panel || r.plan.request.Save.Maps) {
		for m := range v.Methods {
			v.Methods[m].Similarity = onPatches(v.Methods[m].Similarity, r.plan.model.Patch, len(t.Texts))
		}
	}
	id := records.Clean(t.Dataset.ID(v.Index))
	for m := range v.Methods {
		if r.plan.see != nil && labels != nil {
			r.plan.see(labelled{t.Info.Name, v.Index, v.Methods[m].Name}, labels[m])
		}
		file := path.Join(records.Clean(t.Info.Name), records.Clean(v.Methods[m].Name), id)
		if r.plan.request.Save.Labels && labels != nil {
			if err := r.writeLabels(path.Join("labels", file+".png"), t, v.Sample.Labels, labels[m]); err != nil {
				return err
			}
		}
		if made.Prompts != nil && r.plan.request.Save.Masks {
			if err := r.writeMasks(path.Join("masks", file), t, made.Prompts[m]); err != nil {
				return err
			}
		}
		if r.plan.request.Save.Maps {
			if err := r.writeSimilarity(file+".npy", t, &v.Methods[m].Similarity); err != nil {
				return err
			}
		}
	}
	if panel {
		return r.savePanel(t, v, labels)
	}
	return nil
}

// writeSimilarity writes one image's cosines as maps [T, rows, cols] and, of pictures seen at once, those of the global
// token [T]: windows have global tokens, the picture has none.
func (r *run) writeSimilarity(name string, t *target, sim *tasks.Similarity) error {
	texts := len(t.Texts)
	planes := tensor.New(texts, sim.Rows, sim.Cols)
	for q := range texts {
		copy(planes.At(q).Data, methods.Column(sim.Patches, texts, q))
	}
	npy := func(folder string, values tensor.Dense) error {
		return r.write(path.Join(folder, name), func(w io.Writer) error { return tensor.WriteNPY(w, values) })
	}
	if err := npy("maps", planes); err != nil || sim.Global == nil {
		return err
	}
	return npy("cls", tensor.Dense{Shape: []int{texts}, Data: sim.Global})
}

func (r *run) savePanel(t *target, v *tasks.View, labels [][]uint16) error {
	i := slices.IndexFunc(r.out.Panels, func(p results.Panel) bool {
		return p.Dataset == t.Info.Name && p.ID == t.Dataset.ID(v.Index)
	})
	panel, truth := r.out.Panels[i], v.Sample.Labels
	predictions := panel.Predictions
	panel.Predictions = map[string]string{}
	err := errors.Join(
		r.write(panel.Image, func(w io.Writer) error { return encodePNG(w, v.Sample.Image) }),
		r.writeLabels(panel.Truth, t, truth, truth.Pix),
	)
	dir, class := records.PanelDir(t.Info.Name, panel.ID), mainClass(t, truth.Pix)
	for m := range v.Methods {
		method := &v.Methods[m]
		if labels != nil {
			panel.Predictions[method.Name] = predictions[method.Name]
			err = errors.Join(err, r.writeLabels(predictions[method.Name], t, truth, labels[m]))
		}
		if method.Rows == 0 { // a label map of another program
			continue
		}
		cells, saliencyErr := tasks.Saliency(r.plan.task, &t.Target, method, class)
		if saliencyErr != nil {
			return errors.Join(err, saliencyErr)
		}
		saliency, _ := method.Map(cells, truth.H, truth.W)
		file := path.Join(dir, "map "+records.Clean(method.Name)+".png")
		err = errors.Join(err, r.write(file, func(w io.Writer) error {
			return encodePNG(w, draw.MapImage(saliency, truth.W, truth.H))
		}))
		panel.Maps = append(panel.Maps, results.PanelMap{Method: method.Name, Class: t.Info.Classes[class], Path: file})
	}
	return errors.Join(err, r.write(path.Join(dir, records.PanelFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(panel)
	}))
}

// mainClass is the class whose similarity map a panel shows: the largest in the truth, but not the background
// where there is another.
func mainClass(t *target, truth []uint16) int {
	counts := make([]int, len(t.Info.Classes))
	for _, v := range truth {
		if int(v) < len(counts) {
			counts[v]++
		}
	}
	if t.Info.Background {
		counts[0] = min(counts[0], 1)
	}
	best := 0
	for c, n := range counts {
		if n > counts[best] {
			best = c
		}
	}
	return best
}

// writeLabels writes a label map of the size of another as a grey PNG: 8 bits with 255 for ignored pixels where classes
// allow it, else 16 bits with 65535.
func (r *run) writeLabels(name string, t *target, size labelmap.Map, labels []uint16) error {
	return r.write(name, func(out io.Writer) error {
		return encodePNG(out, draw.LabelImage(labels, size.W, size.H, len(t.Info.Classes)))
	})
}

// write makes a file below the run folder.
func (r *run) write(name string, fill func(io.Writer) error) error {
	full := filepath.Join(r.plan.request.Out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
		return err
	}
	f, err := os.Create(full)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = errors.Join(fill(w), w.Flush(), f.Close())
	if err != nil {
		return fmt.Errorf("%s: %w", full, err)
	}
	return nil
}

func encodePNG(w io.Writer, img image.Image) error {
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	return e.Encode(w, img)
}
