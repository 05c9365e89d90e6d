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
	"strings"

	"ovbench/datasets"
	"ovbench/reports"
	"ovbench/reports/results"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// Paths of what a run keeps, below its folder. Names from suites and data sets are made harmless.
func panelDir(dataset, id string) string { return path.Join("panels", clean(dataset), clean(id)) }

// clean turns a name into one path element.
func clean(name string) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if strings.Trim(s, ".") == "" {
		return "_" + s
	}
	return s
}

// panelList names the pictures a plan will keep.
func (p *Plan) panelList() []results.Panel {
	var out []results.Panel
	for _, j := range p.jobs {
		for _, i := range j.panels {
			id := j.dataset.ID(i)
			dir := panelDir(j.info.Name, id)
			panel := results.Panel{Dataset: j.info.Name, ID: id, Image: path.Join(dir, "image.png"), Truth: path.Join(dir, "truth.png"), Predictions: map[string]string{}}
			for _, m := range p.methods {
				panel.Predictions[m.Name] = path.Join(dir, "labels "+clean(m.Name)+".png")
			}
			out = append(out, panel)
		}
	}
	return out
}

// save keeps what was asked for of one sample: its panel, label maps, similarities.
func (r *run) save(j *job, index int, s datasets.Sample, sims []similarity, readings []reading) error {
	name, id := clean(j.info.Name), clean(j.dataset.ID(index))
	panel := slices.Contains(j.panels, index) && s.Labels.W > 0
	if !j.framing.whole() && (panel || r.request.Save.Maps) {
		for m := range sims {
			sims[m] = sims[m].onPatches(r.model.Patch, len(j.texts))
		}
	}
	for m, method := range r.forms {
		if r.request.Save.Labels && readings[m].labels != nil {
			if err := r.writeLabels(path.Join("labels", name, clean(method.name), id+".png"), j, s.Labels.W, s.Labels.H, readings[m].labels); err != nil {
				return err
			}
		}
		if r.request.Save.Maps {
			if err := r.writeMaps(path.Join("maps", name, clean(method.name), id+".npy"), len(j.texts), sims[m]); err != nil {
				return err
			}
			if sims[m].Global == nil {
				continue // windows have global tokens, the picture has none
			}
			cls := tensor.Dense{Shape: []int{len(j.texts)}, Data: sims[m].Global}
			if err := r.write(path.Join("cls", name, clean(method.name), id+".npy"), func(w io.Writer) error { return tensor.WriteNPY(w, cls) }); err != nil {
				return err
			}
		}
	}
	if panel {
		return r.savePanel(j, index, s, sims, readings)
	}
	return nil
}

func (r *run) savePanel(j *job, index int, s datasets.Sample, sims []similarity, readings []reading) error {
	i := slices.IndexFunc(r.out.Panels, func(p results.Panel) bool {
		return p.Dataset == j.info.Name && p.ID == j.dataset.ID(index)
	})
	panel := r.out.Panels[i]
	panel.Predictions = map[string]string{}
	err := errors.Join(
		r.write(panel.Image, func(w io.Writer) error { return encodePNG(w, s.Image) }),
		r.writeLabels(panel.Truth, j, s.Labels.W, s.Labels.H, s.Labels.Pix),
	)
	class := shown(j, s.Labels.Pix)
	for m := range r.forms {
		method := &r.forms[m]
		if labels := readings[m].labels; labels != nil {
			panel.Predictions[method.name] = r.out.Panels[i].Predictions[method.name]
			err = errors.Join(err, r.writeLabels(panel.Predictions[method.name], j, s.Labels.W, s.Labels.H, labels))
		}
		cells, heatErr := r.task.heat(j, method, class, sims[m])
		if heatErr != nil {
			return errors.Join(err, heatErr)
		}
		heat, _ := methods.SimilarityMap(cells, sims[m].Rows, sims[m].Cols, s.Labels.H, s.Labels.W)
		pm := results.PanelMap{Method: method.name, Class: j.info.Classes[class], Path: path.Join(panelDir(j.info.Name, panel.ID), "map "+clean(method.name)+".png")}
		err = errors.Join(err, r.write(pm.Path, func(w io.Writer) error { return encodePNG(w, reports.MapImage(heat, s.Labels.W, s.Labels.H)) }))
		panel.Maps = append(panel.Maps, pm)
	}
	// The description comes last: where it is, the panel is whole.
	return errors.Join(err, r.write(path.Join(panelDir(j.info.Name, panel.ID), panelFile), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(panel)
	}))
}

const panelFile = "panel.json"

// wholePanels are those of list that lie complete in a run folder.
func wholePanels(dir string, list []results.Panel) []results.Panel {
	var out []results.Panel
	for _, p := range list {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path.Join(panelDir(p.Dataset, p.ID), panelFile))))
		var panel results.Panel
		if err == nil && json.Unmarshal(data, &panel) == nil && panel.Dataset == p.Dataset && panel.ID == p.ID {
			out = append(out, panel)
		}
	}
	return out
}

// shown is the class whose similarity map a panel shows: the largest in the truth, but not the background
// where there is another.
func shown(j *job, truth []uint16) int {
	counts := make([]int, len(j.info.Classes))
	for _, v := range truth {
		if int(v) < len(counts) {
			counts[v]++
		}
	}
	if j.info.Background {
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

// writeLabels writes a label map as a grey PNG: 8 bits with 255 for ignored pixels where classes allow it, else 16 bits
// with 65535.
func (r *run) writeLabels(name string, j *job, w, h int, labels []uint16) error {
	return r.write(name, func(out io.Writer) error {
		return encodePNG(out, reports.LabelImage(labels, w, h, len(j.info.Classes)))
	})
}

// writeMaps writes one image's cosines as [T, rows, cols].
func (r *run) writeMaps(name string, texts int, sim similarity) error {
	out := tensor.New(texts, sim.Rows, sim.Cols)
	for t := range texts {
		copy(out.At(t).Data, methods.Column(sim.Patches, texts, t))
	}
	return r.write(name, func(w io.Writer) error { return tensor.WriteNPY(w, out) })
}

// write makes a file below the run folder.
func (r *run) write(name string, fill func(io.Writer) error) error {
	full := filepath.Join(r.request.Out, filepath.FromSlash(name))
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
