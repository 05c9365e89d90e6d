package sam

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// pair is an encoder and a decoder that other programs exported: segment-anything's export_onnx_model.py, samexporter
// and those that keep their names. Of the decoder only the low-resolution logits are taken: what it makes of them at
// the size of the picture is wrong in files of the released exporter, which cut every padding as for the picture they
// were traced with.
type pair struct {
	encoder, decoder *ort.Session
	sizes            shape
	masks            int
	bytes            bool // the encoder takes [height, width, 3] in 0..255, and normalises and pads itself
}

// The names in circulation for what a decoder gives.
var (
	lowNames = []string{"low_res_masks", "low_res_logits"}
	iouNames = []string{"iou_predictions", "scores"}
)

// adopted is a pair before it is loaded.
type adopted struct {
	info             Info
	encoder, decoder *onnx.Foreign
}

func adoptPair(encoder, decoder string) (*adopted, error) {
	a := &adopted{info: Info{Path: encoder + "," + decoder, Name: "SAM, exported", Pair: true}}
	adopt := func(path string, outputs ...string) (*onnx.Foreign, error) {
		f, err := onnx.Adopt(path, func(name string) bool { return slices.Contains(outputs, name) })
		if err != nil {
			return nil, fmt.Errorf("%w; want %s: this is not one half of an exported SAM (encoder.onnx,decoder.onnx)", err,
				outputs[0])
		}
		a.info.Files = append(a.info.Files, f.Files...)
		if slices.ContainsFunc(f.Ops,
			func(op string) bool { return strings.Contains(op, "Quantize") || strings.HasSuffix(op, "Integer") }) {
			a.info.Notes = append(a.info.Notes, path+" is quantised: its numbers are not those of the model it was made from")
		}
		return f, nil
	}
	var err error
	if a.encoder, err = adopt(encoder, "image_embeddings"); err == nil {
		a.decoder, err = adopt(decoder, slices.Concat(lowNames, iouNames)...)
	}
	return a, err
}

func loadPair(lib *ort.Library, encoder, decoder string, o ort.Options) (*Segmenter, error) {
	a, err := adoptPair(encoder, decoder)
	if err != nil {
		return nil, err
	}
	p := &pair{}
	s := &Segmenter{Info: a.info, network: p, options: o}
	if p.encoder, err = lib.NewSession(encoder, a.encoder.Model, o); err == nil {
		p.decoder, err = lib.NewSession(decoder, a.decoder.Model, o)
	}
	if err == nil {
		if err = p.measure(a.encoder.Patch); err != nil {
			err = fmt.Errorf("%s: %w", s.Path, err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if p.masks == 1 {
		s.Notes = append(s.Notes,
			decoder+" was exported with --return-single-mask: it chooses its mask by the number of points, not by the score")
	}
	return s, nil
}

// decoderInputs are what a decoder takes.
var decoderInputs = []string{"image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input",
	"orig_im_size"}

// others are inputs of exported relatives.
var others = map[string]string{
	"high_res_feats_0": "SAM 2", "batched_point_coords": "EfficientSAM", "input_points": "transformers.js",
	"image_embed": "SAM 2",
}

// measure reads the sizes off the declared inputs and outputs.
func (p *pair) measure(patch int) error {
	names := func(ports []ort.Port) (out []string) {
		for _, q := range ports {
			out = append(out, q.Name)
		}
		return out
	}
	in := names(p.decoder.Inputs())
	for _, name := range in {
		if what, ok := others[name]; ok {
			return fmt.Errorf("input %s: this is a decoder of %s, which is not supported", name, what)
		}
	}
	if slices.Sort(in); !slices.Equal(in, slices.Sorted(slices.Values(decoderInputs))) {
		return fmt.Errorf("the decoder takes %s; want %s", strings.Join(in, ", "), strings.Join(decoderInputs, ", "))
	}
	low, iou := p.output(lowNames), p.output(iouNames)
	if low < 0 || iou < 0 {
		return fmt.Errorf("the decoder gives %s; want low_res_masks and iou_predictions",
			strings.Join(names(p.decoder.Outputs()), ", "))
	}
	embedding := sizes(p.decoder.Inputs(), "image_embeddings")
	if len(embedding) != 4 || embedding[1] < 1 || embedding[2] < 1 || embedding[2] != embedding[3] {
		return fmt.Errorf("the decoder's image_embeddings are %v, want [1, C, n, n] in numbers", embedding)
	}
	p.sizes.channels, p.sizes.grid = embedding[1], embedding[2]
	if p.masks = dim(p.decoder.Outputs()[iou], 1); p.masks < 1 {
		p.masks = dim(p.decoder.Outputs()[low], 1)
	}
	if p.masks < 1 {
		p.masks = 4
	}
	picture := p.encoder.Inputs()
	switch {
	case len(picture) != 1:
		return fmt.Errorf("the encoder takes %s; want the picture alone", strings.Join(names(picture), ", "))
	case len(picture[0].Dims) == 4 && dim(picture[0], 1) == 3 && dim(picture[0], 2) > 0 &&
		dim(picture[0], 2) == dim(picture[0], 3):
		p.sizes.side = dim(picture[0], 2)
	case len(picture[0].Dims) == 3 && dim(picture[0], 2) == 3:
		if p.bytes = true; patch == 0 {
			patch = 16 // as in all that was published
		}
		p.sizes.side = patch * p.sizes.grid
	default:
		return fmt.Errorf("the encoder takes %v; want [1, 3, S, S] or [height, width, 3]", picture[0])
	}
	if p.sizes.side > 4096 || p.sizes.grid > 1024 || p.masks > 64 || p.sizes.channels > 1<<16 {
		return fmt.Errorf("an input of %d pixels, a grid of %d, %d channels and %d masks are out of range", p.sizes.side,
			p.sizes.grid, p.sizes.channels, p.masks)
	}
	return nil
}

func (p *pair) output(names []string) int {
	return slices.IndexFunc(p.decoder.Outputs(), func(q ort.Port) bool { return slices.Contains(names, q.Name) })
}

// sizes are the declared dimensions of a port, negative where they are open.
func sizes(ports []ort.Port, name string) []int {
	var out []int
	for _, q := range ports {
		if q.Name == name {
			for i := range q.Dims {
				out = append(out, dim(q, i))
			}
		}
	}
	return out
}

func dim(p ort.Port, i int) int {
	if i >= len(p.Dims) {
		return -1
	}
	return p.Dims[i].Size
}

func (p *pair) shape() shape { return p.sizes }

func (p *pair) embed(ctx context.Context, f Frame, rgb resample.RGB) (tensor.Dense, error) {
	in := f.pixels(rgb, defaultMean, defaultStd)
	if p.bytes {
		in = f.bytes(rgb)
	}
	out := tensor.New(1, p.sizes.channels, p.sizes.grid, p.sizes.grid)
	return out, p.encoder.Run(ctx, values([]tensor.Dense{in}), values([]tensor.Dense{out}))
}

func (p *pair) decode(ctx context.Context, e *Embedding, prompt Prompt) (low, iou tensor.Dense, err error) {
	side := 4 * p.sizes.grid
	points := e.list(prompt)
	in := map[string]tensor.Dense{
		"image_embeddings": e.Values,
		"point_coords":     tensor.New(1, len(points), 2),
		"point_labels":     tensor.New(1, len(points)),
		"mask_input":       tensor.New(1, 1, side, side),
		"has_mask_input":   tensor.New(1),
		"orig_im_size":     {Shape: []int{2}, Data: []float32{1, 1}}, // of masks that nobody asks for
	}
	for i, q := range points {
		copy(in["point_coords"].Data[2*i:], []float32{q.x, q.y})
		in["point_labels"].Data[i] = float32(q.label)
	}
	if prompt.Mask != nil {
		if len(prompt.Mask) != side*side {
			return low, iou, fmt.Errorf("the prompt's mask has %d logits, want %d x %d", len(prompt.Mask), side, side)
		}
		copy(in["mask_input"].Data, prompt.Mask)
		in["has_mask_input"].Data[0] = 1
	}
	var inputs []tensor.Dense
	for _, q := range p.decoder.Inputs() {
		inputs = append(inputs, in[q.Name])
	}
	low, iou = tensor.New(1, p.masks, side, side), tensor.New(1, p.masks)
	outputs := make([]tensor.Dense, len(p.decoder.Outputs()))
	outputs[p.output(lowNames)], outputs[p.output(iouNames)] = low, iou
	return low.At(0), iou, p.decoder.Run(ctx, values(inputs), values(outputs))
}

func (p *pair) Close() error {
	var errs []error
	for _, s := range []*ort.Session{p.encoder, p.decoder} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}
