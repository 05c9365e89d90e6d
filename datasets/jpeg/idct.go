package jpeg

// The inverse DCT of Loeffler, Ligtenberg and Moschytz (ICASSP 1989, figure 1) with 11 multiplications, in integers
// scaled as libjpeg's accurate one scales them, so that every sample is the same: cosines with 13 fractional bits,
// columns kept with 2 more than samples have, the sums rounded once after each pass.
const (
	dctBits    = 13
	columnBits = 2
)

// Sums and differences of cosines in the figure's rotations, times 2^13.
const (
	dct0298 = 2446
	dct0390 = 3196
	dct0541 = 4433
	dct0765 = 6270
	dct0899 = 7373
	dct1175 = 9633
	dct1501 = 12299
	dct1847 = 15137
	dct1961 = 16069
	dct2053 = 16819
	dct2562 = 20995
	dct3072 = 25172
)

// inverseDCT writes the 8x8 samples of a block to out, whose rows lie stride bytes apart. Coefficients and their steps
// are in row order, not in zigzag.
func inverseDCT(out []byte, stride int, block *[64]int16, steps *[64]uint16) {
	var columns [64]int32
	for x := range 8 {
		var c [8]int32
		rest := int32(0) // whether anything lies under the first row
		for y := range 8 {
			c[y] = int32(block[8*y+x]) * int32(steps[8*y+x])
			if y > 0 {
				rest |= c[y]
			}
		}
		if rest == 0 {
			for y := range 8 {
				columns[8*y+x] = c[0] << columnBits
			}
			continue
		}
		inverseDCT8(&c)
		for y := range 8 {
			columns[8*y+x] = descale(c[y], dctBits-columnBits)
		}
	}
	for y := range 8 {
		c := [8]int32(columns[8*y : 8*y+8])
		inverseDCT8(&c)
		row := out[y*stride:][:8]
		for x := range 8 {
			row[x] = clamp8(128 + descale(c[x], dctBits+columnBits+3))
		}
	}
}

func descale(v int32, bits uint) int32 { return (v + 1<<(bits-1)) >> bits }

// inverseDCT8 is the transform of eight numbers in place, times 2^13 sqrt(8).
func inverseDCT8(c *[8]int32) {
	turned := (c[2] + c[6]) * dct0541
	low, high := turned-c[6]*dct1847, turned+c[2]*dct0765
	sum, difference := (c[0]+c[4])<<dctBits, (c[0]-c[4])<<dctBits
	even := [4]int32{sum + high, difference + low, difference - low, sum - high}

	a, b, d, e := c[7], c[5], c[3], c[1]
	both := (a + d + b + e) * dct1175
	ae, bd := -(a+e)*dct0899, -(b+d)*dct2562
	ad, be := both-(a+d)*dct1961, both-(b+e)*dct0390
	odd := [4]int32{e*dct1501 + ae + be, d*dct3072 + bd + ad, b*dct2053 + bd + be, a*dct0298 + ae + ad}
	for i := range 4 {
		c[i], c[7-i] = even[i]+odd[i], even[i]-odd[i]
	}
}
