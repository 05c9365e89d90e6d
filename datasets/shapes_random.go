package datasets

// random is Steele, Lea and Flood's SplitMix64 ("Fast splittable pseudorandom number generators", 2014): one word of
// state, so that every picture has a stream of its own. The bytes of shapes rest on it, and it will not change under
// them as a library's might.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

// mix is SplitMix64's finalizer: a bijection in which every bit of the input reaches every bit of the output.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1. The excess of the low ones is n/2^32 at most.
func (r *random) below(n int) int { return int(r.next() >> 32 * uint64(n) >> 32) }

// between is a number from lo to hi, both included.
func (r *random) between(lo, hi int) int { return lo + r.below(hi-lo+1) }

// percent is true p times of a hundred.
func (r *random) percent(p int) bool { return r.below(100) < p }

// weighted is an index of weights, as often as its weight says.
func (r *random) weighted(weights ...int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	k := r.below(sum)
	for i, w := range weights {
		if k -= w; k < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// shuffled is a random order of 0..n-1.
func (r *random) shuffled(n int) []int {
	out := make([]int, n)
	for i := range out {
		j := r.below(i + 1)
		out[i], out[j] = out[j], i
	}
	return out
}

// speckle is a number from 0 to 255 that belongs to a cell of an endless grid.
func speckle(seed uint64, x, y int) int {
	return int(mix(seed^uint64(uint32(x))<<32^uint64(uint32(y))) >> 56)
}

// softNoise is speckle blended between cells of 1<<sx by 1<<sy pixels: 0 to 255 as well.
func softNoise(seed uint64, x, y int, sx, sy uint) int {
	cx, cy := x>>sx, y>>sy
	fx, fy := x&(1<<sx-1), y&(1<<sy-1)
	top := speckle(seed, cx, cy)<<sx + (speckle(seed, cx+1, cy)-speckle(seed, cx, cy))*fx
	low := speckle(seed, cx, cy+1)<<sx + (speckle(seed, cx+1, cy+1)-speckle(seed, cx, cy+1))*fx
	return (top<<sy + (low-top)*fy) >> (sx + sy)
}
