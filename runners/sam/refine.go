package sam

import (
	"fmt"
	"math"

	"ovbench/runners/resample"
)

// LabelMap is a label map of a picture, W x H pixels, with the probabilities behind it.
type LabelMap struct {
	W, H, Classes int
	Labels        []uint16
	// Probability sets dst, W·H, to how probable a class is at every pixel.
	Probability func(dst []float32, class int)
}

// Refiner corrects label maps of a picture by a segmenter, which connected regions of a class prompt (Trident,
// arXiv 2411.09219, section 3.3). At half the size, a region is pixels of one label that touch, by corners too, and of
// which each has a class of at least a threshold. Its box, its most probable point, and the class's probability over
// the threshold as a mask prompt give one mask. A pixel gets the class of the largest
//
//	sigmoid(logit) · probability
//
// among the classes with a mask over it, the logit being the largest of the class's masks; other pixels keep their
// label.
//
// This is what the authors' code does, of which the printed numbers are: prompts are scaled as if the picture at half
// the size filled the input, the norms of a mask prompt run down its columns, and regions whose mask is dropped do not
// get pixels back that other masks took, as the code means them to.
type Refiner struct {
	Area  int     // pixels of the smallest region that prompts
	Logit float32 // times a probability is the logit of a mask prompt
	IoU   float32 // masks of which the model expects no more are dropped

	frame   Frame // of the picture as the segmenter sees it
	low     int   // side of mask prompts
	segment func(Prompt) (*Masks, error)
}

// Refiner corrects label maps of a picture of which segment gives masks, and which the segmenter sees in w x h pixels.
// The constants are the authors'. Exported decoders cannot do it, as the norms of mask prompts are in them.
func (s *Segmenter) Refiner(w, h int, segment func(Prompt) (*Masks, error)) (*Refiner, error) {
	if s.Pair {
		return nil, fmt.Errorf("%s: an exported decoder does not refine label maps: give a checkpoint", s.Path)
	}
	sizes := s.network.shape()
	f, err := newFrame(w, h, sizes.side)
	return &Refiner{Area: 225, Logit: 0.005, IoU: 0.8, frame: f, low: 4 * sizes.grid, segment: segment}, err
}

// Refine changes the labels of m.
func (r *Refiner) Refine(m LabelMap, threshold float64) error {
	half := halved{w: m.W / 2, h: m.H / 2}
	if half.w == 0 || half.h == 0 {
		return nil
	}
	net, err := newFrame(half.w, half.h, r.frame.side) // where prompts of the smaller map lie in the input
	if err != nil {
		return err
	}
	half.read(m, float32(threshold))
	full, low, best := make([]float32, m.W*m.H), make([]float32, half.w*half.h), make([]float32, m.W*m.H)
	for class := range m.Classes {
		regions := half.regions(uint16(class), r.Area)
		if len(regions) == 0 || !(half.peak[class] >= float32(threshold)) {
			continue
		}
		m.Probability(full, class)
		resample.Bilinear(low, half.w, half.h, full, m.W, m.H)
		mask, err := r.mask(m, low, half, float32(threshold))
		if err != nil {
			return err
		}
		logits, err := r.logits(m, regions, func(region region) Prompt {
			p := region.prompt(low, half.w, net, r.frame)
			p.Mask = mask
			return p
		})
		if err != nil {
			return err
		}
		for i, x := range logits {
			if p := full[i] / float32(1+math.Exp(-float64(x))); x > 0 && p > best[i] {
				best[i], m.Labels[i] = p, uint16(class)
			}
		}
	}
	return nil
}

// mask is the prompt of a class: its probabilities over the threshold, as weak logits in the frame of the picture.
func (r *Refiner) mask(m LabelMap, low []float32, half halved, threshold float32) ([]float32, error) {
	f, err := newFrame(m.W, m.H, r.low)
	if err != nil {
		return nil, err
	}
	inside, out := make([]float32, f.width*f.height), make([]float32, r.low*r.low)
	resample.Bilinear(inside, f.width, f.height, low, half.w, half.h)
	for i, p := range inside {
		if p > threshold {
			out[i/f.width*r.low+i%f.width] = r.Logit * p
		}
	}
	return out, nil
}

// logits are, at the pixels of the map, the largest of the masks of regions; nil where none is kept.
func (r *Refiner) logits(m LabelMap, regions []region, prompt func(region) Prompt) (most []float32, err error) {
	for _, region := range regions {
		masks, err := r.segment(prompt(region))
		if err != nil {
			return nil, err
		}
		if !(masks.IoU[0] > r.IoU) {
			continue
		}
		logits := masks.logits(0, m.W, m.H)
		if most == nil {
			most = logits
			continue
		}
		for i, x := range logits {
			most[i] = max(most[i], x)
		}
	}
	return most, nil
}

// logits are those of mask i at w x h pixels, by way of the picture that the segmenter saw.
func (m *Masks) logits(i, w, h int) []float32 {
	out := make([]float32, m.Width*m.Height)
	m.upsampling(m.Low.Shape[1]).Rows(m.Low.At(i).Data, func(y int, row []float32) { copy(out[y*m.Width:], row) })
	if w == m.Width && h == m.Height {
		return out
	}
	resized := make([]float32, w*h)
	resample.Bilinear(resized, w, h, out, m.Width, m.Height)
	return resized
}

// halved is a label map at half its size.
type halved struct {
	w, h   int
	labels []int     // -1 where no class reaches the threshold
	peak   []float32 // of each class
}

func (l *halved) read(m LabelMap, threshold float32) {
	full, low, most := make([]float32, m.W*m.H), make([]float32, l.w*l.h), make([]float32, l.w*l.h)
	l.labels, l.peak = make([]int, l.w*l.h), make([]float32, m.Classes)
	for class := range m.Classes {
		m.Probability(full, class)
		resample.Bilinear(low, l.w, l.h, full, m.W, m.H)
		for i, p := range low {
			most[i], l.peak[class] = max(most[i], p), max(l.peak[class], p)
		}
	}
	for i := range l.labels {
		l.labels[i] = int(m.Labels[resample.Nearest(i/l.w, m.H, l.h)*m.W+resample.Nearest(i%l.w, m.W, l.w)])
		if most[i] < threshold {
			l.labels[i] = -1
		}
	}
}

// region is pixels that touch, of a map of which only it is wanted.
type region []int

// regions are those of a class with so many pixels. They are taken off the map.
func (l *halved) regions(class uint16, area int) (out []region) {
	for first, label := range l.labels {
		if label != int(class) {
			continue
		}
		found := region{first}
		l.labels[first] = -1
		for at := 0; at < len(found); at++ {
			x, y := found[at]%l.w, found[at]/l.w
			for v := max(y-1, 0); v <= min(y+1, l.h-1); v++ {
				for u := max(x-1, 0); u <= min(x+1, l.w-1); u++ {
					if i := v*l.w + u; l.labels[i] == int(class) {
						l.labels[i], found = -1, append(found, i)
					}
				}
			}
		}
		if len(found) >= area {
			out = append(out, found)
		}
	}
	return out
}

// prompt is the region's most probable point, the first of equal ones, and its box, from the centre of its outermost
// pixels. net is the frame of a picture of the map's size, seen the frame of the one that the segmenter sees.
func (r region) prompt(probability []float32, w int, net, seen Frame) Prompt {
	point, first, last := r[0], [2]int{w, r[0] / w}, [2]int{}
	for _, i := range r {
		if p := probability[i]; p > probability[point] || p == probability[point] && i < point {
			point = i
		}
		x, y := i%w, i/w
		first, last = [2]int{min(first[0], x), min(first[1], y)}, [2]int{max(last[0], x), max(last[1], y)}
	}
	place := func(x, y int) (float64, float64) { // as if the map's picture filled the input, whatever the segmenter sees
		u, v := net.toInput(float64(x), float64(y))
		return u * float64(seen.Width) / float64(seen.width), v * float64(seen.Height) / float64(seen.height)
	}
	p := Prompt{Points: []Point{{Positive: true}}, Box: new(Box), refines: true}
	p.Points[0].X, p.Points[0].Y = place(point%w, point/w)
	p.Box.X0, p.Box.Y0 = place(first[0], first[1])
	p.Box.X1, p.Box.Y1 = place(last[0], last[1])
	return p
}
