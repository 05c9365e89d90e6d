package runners

import (
	"context"
	"fmt"
	"slices"

	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// stage is the second graph of a method, with the step before it.
type stage struct {
	*methods.Stage
	name    string
	index   int   // of the method's results
	kept    []int // of what the first graph keeps for all stages
	names   []string
	tables  tables
	session *ort.Session
}

// keptPrefix begins the names of outputs for the second graphs.
const keptPrefix = "kept/"

// openStages loads the second graphs. Methods that differ only in what lies before theirs share one.
func (r *Images) openStages(lib *ort.Library) error {
	known := map[string]*ort.Session{}
	for i := range r.stages {
		s := r.stages[i]
		g, err := r.second(s)
		if err != nil {
			return err
		}
		model, err := g.Model()
		if err != nil {
			return fmt.Errorf("%s: %w", r.model.Source(), err)
		}
		s.names, _ = g.Inputs()
		s.tables.list, s.tables.symbols = g.Tables(), g.Symbols()
		if s.session = known[string(model)]; s.session != nil {
			continue
		}
		if s.session, err = lib.NewSession(r.model.Source()+", second pass of "+s.name, model,
			r.options.Session); err != nil {
			return err
		}
		known[string(model)] = s.session
		r.seconds = append(r.seconds, s.session)
	}
	return nil
}

// second is the second graph of a method: inputs are what the first one kept, the texts, and those that the method
// declares.
func (r *Images) second(s *stage) (*onnx.Graph, error) {
	n := r.networks[s.index]
	scene := &methods.Scene{Graph: r.options.graph(), Models: n.models, Positions: n.positions}
	var kept []onnx.Value
	for i, v := range s.Keep {
		if s.Search == nil {
			kept = append(kept, scene.Like(fmt.Sprintf("kept.%d", i), v))
		}
	}
	scene.Texts = scene.Input("texts", tensor.F32, scene.Graph.Symbol("texts"), r.model.Space())
	reading := s.Read(scene, kept)
	if reading.Global.Present() != n.global {
		return nil, fmt.Errorf("method %s has a global token in one of its two graphs only", s.name)
	}
	scene.Output("values", scene.Values(reading))
	return scene.Graph, nil
}

// run replaces the first graph's values in result by the second one's, of each set of texts that wants them.
func (s *stage) run(ctx context.Context, turns *Schedule, pixels tensor.Dense, sets []TextSet, kept []tensor.Dense,
	result Batch) error {
	from := 0
	for _, set := range sets {
		to := from + set.Texts.Shape[0]
		if set.wants(s.index) {
			ended := turns.begin("middle")
			own := s.Prepare(methods.First{RGB: pixels, Rows: result.Rows, Cols: result.Cols, Patches: result.patches(from,
				from+set.asked())})
			ended()
			step := to - from
			if s.Texts > 0 {
				step = s.Texts
			}
			for at := from; at < to; at += step {
				end := min(at+step, to)
				if err := s.runTexts(ctx, turns, pixels, kept, set.Texts.Rows(at-from, end-from), own, result.Values,
					at); err != nil {
					return err
				}
			}
		}
		from = to
	}
	return nil
}

// runTexts runs the second graph on some texts, whose columns of result begin at from.
func (s *stage) runTexts(ctx context.Context, turns *Schedule, pixels tensor.Dense, kept []tensor.Dense,
	texts tensor.Dense, own []tensor.Dense, result tensor.Dense, from int) error {
	in, err := s.inputs(pixels, kept, texts, own)
	if err != nil {
		return err
	}
	out := tensor.New(result.Shape[0], result.Shape[1], texts.Shape[0])
	if err := turns.run(ctx, s.session, in, []ort.Value{float32s(out)}); err != nil {
		return err
	}
	paste(result, out, from)
	return nil
}

// inputs are those of the second graph, in its order.
func (s *stage) inputs(pixels tensor.Dense, kept []tensor.Dense, texts tensor.Dense,
	own []tensor.Dense) (in []ort.Value, err error) {
	for _, at := range s.kept {
		if s.Search == nil {
			in = append(in, float32s(kept[at]))
		}
	}
	in = append(in, float32s(texts))
	made := s.tables.at(pixels.Shape[2], pixels.Shape[3])
	for _, name := range s.names[len(in):] {
		if i := slices.IndexFunc(s.tables.list, func(t onnx.Table) bool { return t.Name == name }); i >= 0 {
			in = append(in, float32s(made[i]))
			continue
		}
		if len(own) == 0 {
			return nil, fmt.Errorf("method %s prepares nothing for input %s of its second graph", s.name, name)
		}
		in, own = append(in, float32s(own[0])), own[1:]
	}
	return in, nil
}

// search lets the method run its second graph, and gives the scores [B, N, K] of the explained texts.
func (s *stage) search(ctx context.Context, turns *Schedule, pixels, texts tensor.Dense, kept []tensor.Dense,
	first Batch) (tensor.Dense, error) {
	found := methods.Found{RGB: pixels, Rows: first.Rows, Cols: first.Cols}
	for _, at := range s.kept {
		found.Kept = append(found.Kept, kept[at])
	}
	ended := turns.begin("middle")
	defer func() { ended() }()
	found.Run = func(rows, n int, own ...tensor.Dense) (tensor.Dense, error) {
		in, err := s.inputs(pixels, nil, texts, own)
		if err != nil {
			return tensor.Dense{}, err
		}
		ended()
		defer func() { ended = turns.begin("middle") }()
		out := tensor.New(rows, n, texts.Shape[0])
		return out, turns.run(ctx, s.session, in, []ort.Value{float32s(out)})
	}
	return s.Search(found)
}
