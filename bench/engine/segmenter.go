package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"maps"
	"slices"
	"sync"

	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
)

// refines reports whether a segmenter corrects label maps of some data set.
func (p *Plan) refines() bool {
	return slices.ContainsFunc(p.suite.Datasets,
		func(d configs.Dataset) bool { return p.suite.ProtocolOf(d).SAMRefine > 0 })
}

// openSegmenter looks at the segmenter of a run: the one asked for, or the suite's. A task that can use one does
// without if there is none.
func (p *Plan) openSegmenter() error {
	name := p.request.Segmenter
	fault := func(err error) error { return fmt.Errorf("--segmenter: %w", err) }
	if name == "" {
		name = p.suite.Segmenter
		fault = func(err error) error { return p.suite.Fault("segmenter", "%v", err) }
	}
	refines := p.refines()
	switch {
	case name == "" && refines && p.imported == nil:
		return p.suite.Fault("protocol.sam_refine", "protocol.sam_refine asks a segmenter: name one with "+
			"--segmenter PATH, or segmenter: PATH in a suite; fetch one with: ovbench pull facebook/sam-vit-base")
	case name == "":
		return nil
	case !refines && p.task != nil && !p.task.Needs().Segmenter:
		return fault(fmt.Errorf("task %s uses no segmenter; leave it out, measure task interactive, or refine label maps "+
			"(protocol.sam_refine)", p.suite.Task))
	}
	path, err := sam.Locate(name)
	if err == nil {
		p.segmenter, err = sam.Inspect(path)
	}
	if err != nil {
		return fault(err)
	}
	if p.segmenter.Pair && refines {
		return fault(fmt.Errorf("%s: an exported decoder does not refine label maps (protocol.sam_refine): give a checkpoint",
			name))
	}
	p.segmenter.Asked = name
	if p.library == nil { // of an import, which runs no other network
		return p.openLibrary()
	}
	return nil
}

// describeSegmenter is the segmenter as results record it, with what points are made by; hashes are added by hashFiles.
func (p *Plan) describeSegmenter(r *results.Run) {
	for i := range r.Methods {
		m := &r.Methods[i]
		if m.Params == nil {
			m.Params = map[string]any{}
		}
		if p.task.Needs().Segmenter {
			maps.Copy(m.Params, tasks.PointParams(p.suite.Protocol))
		}
	}
	if p.segmenter == nil {
		r.Warnings = append(r.Warnings, "no segmenter is named (--segmenter): points and thresholded maps alone are scored")
		return
	}
	n := results.Network{Role: "segmenter", Model: results.Model{Name: p.segmenter.Asked, Path: p.segmenter.Path,
		Architecture: p.segmenter.Name}}
	for _, path := range p.segmenter.Files {
		n.Model.Files = append(n.Model.Files, results.File{Path: path})
	}
	r.Networks = append(r.Networks, n)
	r.Warnings = append(r.Warnings, p.segmenter.Notes...)
}

// prepareImport loads what maps of another program are shown to, and opens the records.
func (r *run) prepareImport() error {
	err := hashNetworks(r.out)
	if err == nil {
		err = r.loadSegmenter()
	}
	if err == nil {
		err = r.openRecords()
	}
	if err != nil {
		r.closeImages()
	}
	return err
}

// loadSegmenter loads it, if there is one.
func (r *run) loadSegmenter() (err error) {
	if r.plan.segmenter == nil {
		return nil
	}
	if r.segmenter, err = sam.Load(r.plan.library, r.plan.segmenter.Path, r.session().Exact()); err != nil {
		return err
	}
	if folder := r.plan.request.Embeddings; folder != "" {
		return r.segmenter.Keep(folder)
	}
	return nil
}

// sitting is a picture before the segmenter. The zero sitting is without one.
type sitting struct {
	seen    func() resample.RGB
	segment func(sam.Prompt) (*sam.Masks, error) // nil without a segmenter
}

// segmented gives a sample's picture to the segmenter, when a prompt first needs it: once for all prompts, methods and
// data sets. To refine label maps it is enlarged, as Trident's code does it.
func (r *run) segmented(ctx context.Context, img *image.NRGBA) sitting {
	if r.segmenter == nil {
		return sitting{}
	}
	seen := sync.OnceValue(func() resample.RGB {
		rgb := resample.FromNRGBA(img)
		if r.plan.refines() {
			return runners.Enlarged(rgb, r.plan.model.Patch)
		}
		return rgb
	})
	embed := sync.OnceValues(func() (e *sam.Embedding, err error) {
		rgb := seen()
		err = r.schedule.Segment(ctx, func() error { e, err = r.segmenter.Embed(ctx, rgb); return err })
		return e, err
	})
	return sitting{seen, func(p sam.Prompt) (m *sam.Masks, err error) {
		e, err := embed()
		if err != nil {
			return nil, err
		}
		err = r.schedule.Segment(ctx, func() error { m, err = r.segmenter.Segment(ctx, e, p); return err })
		return m, err
	}}
}

// refine is how the segmenter corrects label maps of a picture that it sees, prompted by segment.
func (r *run) refine(threshold float64, seen resample.RGB, segment func(sam.Prompt) (*sam.Masks, error)) func(
	sam.LabelMap) error {
	return func(m sam.LabelMap) error {
		refiner, err := r.segmenter.Refiner(seen.W, seen.H, segment)
		if err != nil {
			return err
		}
		return refiner.Refine(m, threshold)
	}
}

// keptPrompt is a prompt as run folders hold it.
type keptPrompt struct {
	Class  string       `json:"class"`
	From   string       `json:"from"` // points or box
	Points [][2]float64 `json:"points,omitempty"`
	Labels []int        `json:"labels,omitempty"` // 1 on the object, 0 off it
	Box    []float64    `json:"box,omitempty"`
	IoU    []float32    `json:"iou"` // expected of each mask
	Chosen int          `json:"chosen"`
}

// writeMasks writes one method's prompts on one picture as name.json, and the low-resolution logits of their masks [P,
// M, h, w] as name.npy.
func (r *run) writeMasks(name string, t *target, prompts []tasks.Prompted) error {
	var list []keptPrompt
	var low tensor.Dense
	for _, p := range prompts {
		for _, made := range []struct {
			from   string
			prompt sam.Prompt
			masks  *sam.Masks
		}{{"points", p.Points, p.FromPoints}, {"box", p.Box, p.FromBox}} {
			if made.masks == nil {
				continue
			}
			k := keptPrompt{Class: t.Info.Classes[p.Class], From: made.from, IoU: made.masks.IoU, Chosen: made.masks.Best()}
			for _, q := range made.prompt.Points {
				k.Points, k.Labels = append(k.Points, [2]float64{q.X, q.Y}), append(k.Labels, map[bool]int{true: 1}[q.Positive])
			}
			if b := made.prompt.Box; b != nil {
				k.Box = []float64{b.X0, b.Y0, b.X1, b.Y1}
			}
			list = append(list, k)
			low.Shape, low.Data = append([]int{len(list)}, made.masks.Low.Shape...), append(low.Data, made.masks.Low.Data...)
		}
	}
	if len(list) == 0 {
		return nil
	}
	err := r.write(name+".npy", func(w io.Writer) error { return tensor.WriteNPY(w, low) })
	if err != nil {
		return err
	}
	return r.write(name+".json", func(w io.Writer) error { return json.NewEncoder(w).Encode(list) })
}
