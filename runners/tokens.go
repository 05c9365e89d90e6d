package runners

import (
	"context"
	"fmt"
	"slices"

	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Basis is the set of texts [E, E] whose cosines are the tokens themselves, normalised: what a method says of them is
// asked of any number of other texts by [Asker], without the network.
func Basis(width int) TextSet {
	e := tensor.New(width, width)
	for i := range width {
		e.At(i).Data[i] = 1
	}
	return TextSet{Texts: e}
}

// CheckTokens says why a method gives no tokens, with which any texts may be compared.
func CheckTokens(name string, m methods.Method, models methods.Models) error {
	_, err := ImageGraph(models.ImageText, []Named{{Name: name, Method: m}}, ImageOptions{Backbones: models.Backbones})
	return err
}

// Asker compares tokens with texts, in f32. It may be used from many goroutines; Close it when done.
type Asker struct {
	session  *ort.Session
	schedule *Schedule
}

// NewAsker is for tokens of a width.
func NewAsker(lib *ort.Library, width int, o ImageOptions) (*Asker, error) {
	o.Session = o.Session.Exact()
	g := o.graph()
	tokens := g.Input("tokens", tensor.F32, g.Symbol("tokens"), width)
	g.Output("cosines", g.Linear(tokens, g.Input("texts", tensor.F32, g.Symbol("texts"), width), onnx.Value{}))
	model, err := g.Model()
	if err != nil {
		return nil, err
	}
	session, err := lib.NewSession("texts of tokens", model, o.Session)
	return &Asker{session, o.Schedule}, err
}

// Close frees the session.
func (a *Asker) Close() error { return a.session.Close() }

// Tokens are those of all windows of a picture by one method.
type Tokens struct {
	mosaic resample.Mosaic // without logits
	all    tensor.Dense    // [n, E], tile after tile
}

// TokensOf are those of a mosaic of the texts of [Basis], which is changed.
func TokensOf(m resample.Mosaic) Tokens {
	t := Tokens{mosaic: m}
	n := 0
	for _, tile := range m.Tiles {
		n += tile.Rows * tile.Cols
	}
	t.all = tensor.New(n, m.Queries)
	at := t.all.Data
	for i := range m.Tiles {
		at = at[copy(at, m.Tiles[i].Logits):]
		m.Tiles[i].Logits = nil
	}
	return t
}

// Cosines are the mosaic of the tokens' cosines with texts [T, E], normalised.
func (a *Asker) Cosines(ctx context.Context, t Tokens, texts tensor.Dense) (resample.Mosaic, error) {
	if texts.Shape[1] != t.all.Shape[1] {
		return resample.Mosaic{}, fmt.Errorf("texts of width %d for tokens of %d", texts.Shape[1], t.all.Shape[1])
	}
	out := tensor.New(t.all.Shape[0], texts.Shape[0])
	err := a.schedule.run(ctx, a.session, []ort.Value{float32s(t.all), float32s(texts)}, []ort.Value{float32s(out)})
	if err != nil {
		return resample.Mosaic{}, err
	}
	m := t.mosaic
	m.Queries, m.Tiles = texts.Shape[0], slices.Clone(m.Tiles)
	rest := out.Data
	for i, tile := range m.Tiles {
		n := tile.Rows * tile.Cols * m.Queries
		m.Tiles[i].Logits, rest = rest[:n:n], rest[n:]
	}
	return m, nil
}
