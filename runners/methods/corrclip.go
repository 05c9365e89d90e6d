package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// CorrCLIP keeps attention within regions that another program has found (arXiv 2411.10086, section 4). Queries plus
// keys of a second network's last block, dino, are alike by S; regions whose means are at most Merge less alike than
// the most alike are one. The last block attends by
//
//	softmax(τ S, where both patches are in one region, or one is in none and S is above its mean) v
//
// the same for all heads, once over its own values and once over those of what blocks below gave on average. A copy of
// the class token a region, which reads the class token and the region's patches in every block, says what the region
// shows. The three are projected and added with weights 1, Spatial and Semantic. The authors have no global token: here
// it is CLIP's. A window's mean is its own, as theirs, who run one at a time.
//
// Note: of two regions or fewer in a window, the unsegmented one among them, none are merged; and where all of a window
// is segmented, its region of the lowest number counts as unsegmented. Both are so in the authors' code.
type CorrCLIP struct {
	Tau      float64 `json:"tau"`      // sharpness
	Merge    float64 `json:"merge"`    // distance at which regions are one
	Blocks   int     `json:"blocks"`   // blocks below the last but one that are averaged; 0 is the authors' by depth
	Spatial  float64 `json:"spatial"`  // weight of what they gave
	Semantic float64 `json:"semantic"` // weight of the regions' own tokens
	Regions  bool    `json:"regions"`  // false: nothing is segmented, and no masks are read
}

// Traits are bicubic positions, as in the authors' code, a second network and masks.
func (c *CorrCLIP) Traits() Traits {
	return Traits{Positions: vit.Bicubic, Backbones: []string{dinoBackbone}, Regions: c.Regions}
}

// blocks is how many blocks are averaged in a tower of a depth: 5 of 12, 12 of 24, 28 of 32.
func (c *CorrCLIP) blocks(depth int) int {
	if c.Blocks > 0 {
		return c.Blocks
	}
	if n, ok := map[int]int{12: 5, 24: 12, 32: 28}[depth]; ok {
		return n
	}
	return depth - 4
}

// Check wants a vision transformer with a class token, deep enough, and parameters within reason.
func (c *CorrCLIP) Check(m Models) error {
	for name, v := range map[string]float64{"tau": c.Tau, "merge": c.Merge, "spatial": c.Spatial,
		"semantic": c.Semantic} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("corrclip: %s %v is out of range: want a number of 0 or more", name, v)
		}
	}
	if _, err := m.blocks("corrclip", dinoBackbone); err != nil {
		return err
	}
	t, err := needClass("corrclip", m)
	if err == nil && (c.Blocks < 0 || c.blocks(t.Depth()) < 1 || c.blocks(t.Depth()) > t.Depth()-2) {
		return fmt.Errorf("corrclip: %d blocks below the last but one cannot be averaged: %s has %d in all",
			c.blocks(t.Depth()), m.Name(), t.Depth())
	}
	return err
}

// Read gives patches on the second network's grid.
func (c *CorrCLIP) Read(s *Scene) Reading {
	g, v, second := s.Graph, s.Tower(), s.Backbones[dinoBackbone].(*vit.Tower)
	last := v.Depth() - 1
	q, k, _ := s.lastOf(second)
	features := g.L2Normalize(second.PatchTokens(g, g.Add(q, k)))
	none, merged := onnx.Value{}, onnx.Value{} // [B, N', 1] of patches in no region, [B, N', R] of regions
	if c.Regions {
		none = g.Sub(g.Scalar(1), g.Sum(s.Regions, -1))
		merged = g.MatMul(s.Regions, c.together(g, features, s.Regions))
	}
	a := c.attention(g, features, s.Regions, merged, none)
	spread := func(x onnx.Value) onnx.Value {
		_, _, u := v.QKV(g, last, x)
		return v.Project(g, v.Out(g, last, g.MatMul(a, s.Resized(v.PatchTokens(g, u), second))), vit.ByValue)
	}
	n := c.blocks(v.Depth())
	below := s.Before(last - n)
	for i := last - n + 1; i < last; i++ {
		below = g.Add(below, s.Before(i))
	}
	patches := g.Add(spread(s.Before(last)), g.Scale(spread(g.Scale(below, 1/float32(n))), float32(c.Spatial)))
	semantic := s.Global() // of one region, which all is in
	if c.Regions {
		semantic = v.Project(g, c.shown(s, second, merged, none), vit.ByValue)
	}
	patches = g.Add(patches, g.Scale(semantic, float32(c.Semantic)))
	return s.OnGrid(Reading{Global: s.Global(), Patches: patches}, second)
}

// longest is the log2 of the longest chain of regions that are alike one by one.
const longest = 10

// MaxRegions bounds the regions of a window.
const MaxRegions = 1 << longest

// together is 1 where two of the regions [B, N, R] are one: [B, R, R]. They are so if a chain of regions that are alike
// leads from one to the other, as DBSCAN has it where every region is a core of its cluster.
func (c *CorrCLIP) together(g *onnx.Graph, features, regions onnx.Value) onnx.Value {
	one, half := g.Scalar(1), g.Scalar(0.5)
	byRegion := g.Transpose(regions, 0, 2, 1)
	size := g.Sum(byRegion, -1) // [B, R, 1]
	there := g.Above(size, half)
	means := g.L2Normalize(g.Add(g.MatMul(byRegion, features), g.Sub(one, there)))
	like := g.MatMul(means, g.Transpose(means, 0, 2, 1))
	pairs := g.Mul(there, g.Transpose(there, 0, 2, 1))
	most := g.Max(g.Max(g.Add(like, g.Scale(g.Sub(one, pairs), -4)), -1), -2)
	near := g.Mul(pairs, g.Sub(one, g.Above(g.Sub(most, like), g.Scalar(float32(c.Merge)))))
	for range longest {
		near = g.Above(g.MatMul(near, near), half)
	}
	return near
}

// attention is [B, N, N] for features of length 1, within regions and, of patches in none, to what is more alike than
// the mean.
func (c *CorrCLIP) attention(g *onnx.Graph, features, regions, merged, none onnx.Value) onnx.Value {
	like := g.MatMul(features, g.Transpose(features, 0, 2, 1))
	allowed := g.Above(like, g.Mean(g.Mean(like, -1), -2))
	if merged.Present() {
		free := g.Above(g.Add(none, g.Transpose(none, 0, 2, 1)), g.Scalar(0.5))
		within := g.MatMul(merged, g.Transpose(regions, 0, 2, 1))
		allowed = g.Above(g.Add(within, g.Mul(free, allowed)), g.Scalar(0.5))
	}
	return g.Softmax(g.Add(g.Scale(like, float32(c.Tau)), forbid(g, allowed)), -1)
}

// forbid is what keeps attention away from where allowed is 0.
func forbid(g *onnx.Graph, allowed onnx.Value) onnx.Value {
	return g.Scale(g.Sub(allowed, g.Scalar(1)), 1e30)
}

// shown is, for every patch of the second network [B, N', W], the copy of the class token that looks at its region
// alone. Regions are told by the image-text model's patches, which are the nearest of the second network's.
func (c *CorrCLIP) shown(s *Scene, second *vit.Tower, merged, none onnx.Value) onnx.Value {
	g, v := s.Graph, s.Tower()
	own := g.MatMul(s.nearest(second, v.Tower), g.Concat(2, none, merged)) // [B, N, 1+R]
	seen := g.Transpose(own, 0, 2, 1)
	mask := g.Unsqueeze(g.PadFront(forbid(g, seen), 2, 1), 1) // the class token is seen by all
	copies := v.ClassToken(g, s.Before(0))
	copies = g.Add(g.MatMul(g.Scale(g.Sum(seen, -1), 0), copies), copies) // [B, 1+R, W]
	for i := range v.Depth() {
		q, _, _ := v.QKV(g, i, copies)
		_, k, u := v.QKV(g, i, s.Before(i))
		copies = g.Add(copies, v.Out(g, i, v.Attention(g, q, k, u, mask)))
		copies = g.Add(copies, v.MLP(g, i, copies))
	}
	// Regions that are one have equal copies.
	return g.MatMul(s.nearest(v.Tower, second), g.MatMul(g.Div(own, g.Sum(own, -1)), copies))
}

// nearest picks for every patch of one network the patch of another that torch's nearest interpolation takes: [N to, N
// from].
func (s *Scene) nearest(from, to *vit.Tower) onnx.Value {
	return s.Table(fmt.Sprintf("nearest.%sto.%s", from.Prefix, to.Prefix), s.RGB, func(h, w int) tensor.Dense {
		rows, cols := from.Grid(h, w)
		r, c := to.Grid(h, w)
		out := tensor.New(r*c, rows*cols)
		for i := range r * c {
			y, x := resample.Nearest(i/c, rows, r), resample.Nearest(i%c, cols, c)
			out.Data[i*rows*cols+y*cols+x] = 1
		}
		return out
	}, to.Patches(s.Graph, s.RGB), from.Patches(s.Graph, s.RGB))
}
