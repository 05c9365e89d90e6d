package runners

import "ovbench/runners/tensor"

// Maps is what one method says of one picture or window: a value for every text, by patch and for the whole.
type Maps struct {
	Rows, Cols int       // the method's grid
	Global     []float32 // [T]; nil of a method without a global token
	Patches    []float32 // [Rows·Cols, T], row by row
}

// Select copies the values of texts from..to-1 of texts.
func (m Maps) Select(from, to, texts int) Maps {
	if from == 0 && to == texts {
		return m
	}
	m.Patches = columns(tensor.Dense{Shape: []int{m.Rows * m.Cols, texts}, Data: m.Patches}, from, to).Data
	if m.Global != nil {
		m.Global = m.Global[from:to:to]
	}
	return m
}

// SplitLast takes the last of texts off: that of the empty text, where one was asked for. last is its value by patch.
func (m Maps) SplitLast(texts int) (rest Maps, last []float32) {
	return m.Select(0, texts-1, texts), m.Select(texts-1, texts, texts).Patches
}

// Batch is what one method gives for a batch of pictures: tokens of width E, or values of T texts.
type Batch struct {
	Rows, Cols int
	Global     bool         // the method has a global token
	Values     tensor.Dense // [B, 1+N, E or T], the global token first; without one [B, N, E or T]

	keep tensor.Dense // [B, N, W], of methods that look at all windows of a picture together
}

// patches copies the values of texts from..to-1 by patch [B, N, to-from].
func (b Batch) patches(from, to int) tensor.Dense {
	out := tensor.New(b.Values.Shape[0], b.Rows*b.Cols, to-from)
	for i := range out.Shape[0] {
		copy(out.At(i).Data, b.At(i).Select(from, to, b.Values.Shape[2]).Patches)
	}
	return out
}

// At are the values of picture i.
func (b Batch) At(i int) Maps {
	m := Maps{Rows: b.Rows, Cols: b.Cols, Patches: b.Values.At(i).Data}
	if b.Global {
		width := b.Values.Shape[2]
		m.Global, m.Patches = m.Patches[:width:width], m.Patches[width:]
	}
	return m
}

// batchOf is maps of equal grids with values of texts.
func batchOf(all []Maps, texts int) Batch {
	b := Batch{Rows: all[0].Rows, Cols: all[0].Cols, Global: all[0].Global != nil}
	for _, m := range all {
		b.Values.Data = append(append(b.Values.Data, m.Global...), m.Patches...)
	}
	b.Values.Shape = []int{len(all), len(b.Values.Data) / len(all) / texts, texts}
	return b
}

// sideBySide is maps of equal rows as one, with values of texts.
func sideBySide(all []Maps, texts int) Maps {
	if len(all) == 1 {
		return all[0]
	}
	out := Maps{Rows: all[0].Rows}
	for _, m := range all {
		out.Cols += m.Cols
	}
	for y := range out.Rows {
		for _, m := range all {
			out.Patches = append(out.Patches, m.Patches[y*m.Cols*texts:][:m.Cols*texts]...)
		}
	}
	return out
}
