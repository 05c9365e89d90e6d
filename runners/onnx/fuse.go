package onnx

import "slices"

// written lists the nodes to write and the leaves they need, inputs before users. Unless the graph keeps to standard
// operators, sums that feed a LayerNorm are fused with it.
func (g *Graph) written() (nodes []node, leaves []int32) {
	live, leaves := g.live()
	for _, i := range live {
		nodes = append(nodes, g.nodes[i])
	}
	if g.standard {
		return nodes, leaves
	}
	return g.fuseSkips(nodes), leaves
}

// fuseSkips replaces LayerNorm(a + b + bias) by com.microsoft.SkipLayerNormalization, which gives the sum as
// well: one pass over memory instead of three. Rounding is the same but for the order of the two additions.
func (g *Graph) fuseSkips(nodes []node) []node {
	producer := map[int32]int{} // value → node
	users := map[int32]int{}
	for i, n := range nodes {
		producer[n.out[0]] = i
		for _, id := range n.in {
			users[id]++
		}
	}
	for _, o := range g.outputs {
		users[o.id]++
	}
	gone := make([]bool, len(nodes))
	// sum is the node that computes id as a sum of two values of one shape.
	sum := func(id int32) (int, bool) {
		i, ok := producer[id]
		if !ok || gone[i] || nodes[i].op != "Add" {
			return 0, false
		}
		shape := g.values[id].shape
		return i, slices.Equal(g.values[nodes[i].in[0]].shape, shape) && slices.Equal(g.values[nodes[i].in[1]].shape, shape)
	}
	// biased takes apart x + bias, if nobody else uses that sum.
	biased := func(id int32) (x, bias int32, add int, ok bool) {
		i, made := producer[id]
		if !made || gone[i] || nodes[i].op != "Add" || users[id] != 1 {
			return 0, 0, 0, false
		}
		x, bias = nodes[i].in[0], nodes[i].in[1]
		return x, bias, i, len(g.values[bias].shape) == 1 && slices.Equal(g.values[x].shape, g.values[id].shape)
	}
	for i := range nodes {
		n := &nodes[i]
		if n.op != "LayerNormalization" || len(g.values[n.in[0]].shape) != 3 {
			continue
		}
		total := n.in[0]
		k, ok := sum(total)
		if !ok {
			continue
		}
		skip, x, bias := nodes[k].in[0], nodes[k].in[1], int32(0)
		if inner, b, add, ok := biased(x); ok {
			x, bias = inner, b
			gone[add] = true
		}
		gone[k] = true
		fused := node{
			op: "SkipLayerNormalization", domain: "com.microsoft", in: []int32{x, skip, n.in[1], n.in[2]},
			out:   []int32{n.out[0]},
			attrs: slices.DeleteFunc(slices.Clone(n.attrs), func(a attr) bool { return a.name != "epsilon" }),
		}
		if bias != 0 {
			fused.in = append(fused.in, bias)
		}
		if users[total] > 1 {
			fused.out = append(fused.out, 0, 0, total)
		}
		*n = fused
		producer[total] = i
	}
	var kept []node
	for i, n := range nodes {
		if !gone[i] {
			kept = append(kept, n)
		}
	}
	return sorted(kept)
}

// sorted orders nodes so that inputs come before users, and otherwise as they were.
func sorted(nodes []node) []node {
	producer := map[int32]int{}
	for i, n := range nodes {
		for _, id := range n.out {
			if id != 0 {
				producer[id] = i
			}
		}
	}
	out := make([]node, 0, len(nodes))
	done := make([]bool, len(nodes))
	type frame struct{ node, next int }
	for i := range nodes {
		if done[i] {
			continue
		}
		stack := []frame{{i, 0}}
		done[i] = true
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(nodes[top.node].in) {
				out = append(out, nodes[top.node])
				stack = stack[:len(stack)-1]
				continue
			}
			id := nodes[top.node].in[top.next]
			top.next++
			if p, ok := producer[id]; ok && !done[p] {
				done[p] = true
				stack = append(stack, frame{p, 0})
			}
		}
	}
	return out
}
