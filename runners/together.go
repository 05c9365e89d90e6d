package runners

import (
	"context"
	"slices"
	"sync"

	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// pass is one run of the graph: what it takes, and what it gives.
type pass struct {
	in        []ort.Value
	byPicture []bool  // of each input, whether its rows are pictures; others hold for all of them
	shapes    [][]int // of the outputs, whose rows are pictures
	out       []tensor.Dense
	err       error
	done      chan struct{} // closed when out or err is known
}

// pictures is the number of rows.
func (p *pass) pictures() int { return p.shapes[0][0] }

// like reports whether q's pictures can be rows of p's run.
func (p *pass) like(q *pass) bool {
	for i, a := range p.in {
		b := q.in[i]
		if p.byPicture[i] {
			if !slices.Equal(a.Shape[1:], b.Shape[1:]) {
				return false
			}
		} else if !slices.Equal(a.Shape, b.Shape) || !same(a.F32, b.F32) || !slices.Equal(a.I64, b.I64) {
			return false
		}
	}
	return true
}

// same reports whether two slices are equal; those of one memory are without a look.
func same(a, b []float32) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// lobby is where passes wait for their turn, so that the one whose turn it is takes others along.
type lobby struct {
	mu      sync.Mutex
	waiting []*pass
}

func (l *lobby) enter(p *pass) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, p)
}

// take is p and those who can run with it, in all at most so many pictures unless p has more; nothing if p has been
// taken. They wait no longer.
func (l *lobby) take(p *pass, most int) []*pass {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.waiting, p) {
		return nil
	}
	group, pictures := []*pass{p}, p.pictures()
	l.waiting = slices.DeleteFunc(l.waiting, func(q *pass) bool {
		if q == p {
			return true
		}
		if pictures+q.pictures() > most || !p.like(q) {
			return false
		}
		group, pictures = append(group, q), pictures+q.pictures()
		return true
	})
	return group
}

// compute runs a pass in its turn, alone or with others that wait for theirs.
func (r *Images) compute(ctx context.Context, p *pass) error {
	most := r.options.Together
	if r.explains() { // what they are asked differs from picture to picture
		most = 1
	}
	p.done = make(chan struct{})
	r.lobby.enter(p)
	err := r.options.Schedule.do(ctx, "network", func() error {
		if group := r.lobby.take(p, most); group != nil {
			r.computeAll(ctx, group)
		}
		return nil
	})
	if err != nil && r.lobby.take(p, 0) != nil { // nobody has begun it
		return err
	}
	select {
	case <-p.done:
	default: // another goroutine is at it
		ended := r.options.Schedule.begin("wait")
		<-p.done
		ended()
	}
	return p.err
}

// computeAll runs passes that are alike as one. If that fails, for want of memory perhaps, each runs for itself.
func (r *Images) computeAll(ctx context.Context, group []*pass) {
	if len(group) > 1 {
		all := concatenated(group)
		if all.run(ctx, r.session); all.err == nil {
			row := 0
			for _, p := range group {
				for _, d := range all.out {
					p.out = append(p.out, d.Rows(row, row+p.pictures()))
				}
				row += p.pictures()
				close(p.done)
			}
			return
		}
	}
	for _, p := range group {
		p.run(ctx, r.session)
		close(p.done)
	}
}

// run computes what p gives.
func (p *pass) run(ctx context.Context, session *ort.Session) {
	var out []ort.Value
	for _, shape := range p.shapes {
		d := tensor.New(shape...)
		p.out, out = append(p.out, d), append(out, float32s(d))
	}
	p.err = session.Run(ctx, p.in, out)
}

// concatenated is a pass of the pictures of all.
func concatenated(group []*pass) *pass {
	first := group[0]
	all := &pass{in: slices.Clone(first.in), byPicture: first.byPicture}
	for i, v := range all.in {
		if !first.byPicture[i] {
			continue
		}
		v.Shape, v.F32 = slices.Clone(v.Shape), slices.Clone(v.F32)
		for _, p := range group[1:] {
			v.Shape[0] += p.in[i].Shape[0]
			v.F32 = append(v.F32, p.in[i].F32...)
		}
		all.in[i] = v
	}
	for i := range first.shapes {
		shape := slices.Clone(first.shapes[i])
		for _, p := range group[1:] {
			shape[0] += p.shapes[i][0]
		}
		all.shapes = append(all.shapes, shape)
	}
	return all
}
