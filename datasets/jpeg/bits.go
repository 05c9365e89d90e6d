package jpeg

// bitReader reads the bits of a scan, most significant first. Behind the scan it reads zeros, which over then tells.
type bitReader struct {
	data   []byte
	at     int    // of the next byte; stops at the marker that ends the scan
	word   uint64 // the last n bits are to be read
	n, pad uint   // of these pad are zeros from behind the end
	bad    bool   // a code was in no table
}

// fill leaves at least 57 bits to read.
func (b *bitReader) fill() {
	for b.n <= 56 {
		var v byte
		switch {
		case b.at >= len(b.data) || b.data[b.at] == 0xff && (b.at+1 >= len(b.data) || b.data[b.at+1] != 0):
			b.pad += 8
		default:
			v = b.data[b.at]
			b.at++
			if v == 0xff { // a zero is stuffed behind it
				b.at++
			}
		}
		b.word = b.word<<8 | uint64(v)
		b.n += 8
	}
}

// over reports whether more was read than there is, or a code that is none.
func (b *bitReader) over() bool { return b.bad || b.n < b.pad }

// take reads k bits, at most 16.
func (b *bitReader) take(k uint) int32 {
	if b.n < k {
		b.fill()
	}
	b.n -= k
	return int32(b.word >> b.n & (1<<k - 1))
}

// signed reads a number of k bits: ITU-T T.81, F.2.2.1, EXTEND.
func (b *bitReader) signed(k uint) int32 {
	if k == 0 {
		return 0
	}
	v := b.take(k)
	if v < 1<<(k-1) {
		v -= 1<<k - 1
	}
	return v
}

// restart passes over the marker between two intervals; false if there is none.
func (b *bitReader) restart() bool {
	b.word, b.n, b.pad = 0, 0, 0
	for b.at+1 < len(b.data) && b.data[b.at] == 0xff && b.data[b.at+1] == 0xff {
		b.at++
	}
	if b.at+1 >= len(b.data) || b.data[b.at] != 0xff || b.data[b.at+1]&^7 != 0xd0 {
		return false
	}
	b.at += 2
	return true
}

const huffmanLookup = 9 // bits of codes that are found in one step

// huffman is a code table: T.81, annex C.
type huffman struct {
	short  [1 << huffmanLookup]uint16 // length<<8 | value of the code that begins with the index; 0 if it is longer
	last   [17]int32                  // the largest code of a length, or -1
	offset [17]int32                  // from a code to its value's index
	values []byte
}

// newHuffman reads the counts of codes by length and their values; nil if they are no table.
func newHuffman(counts [16]byte, values []byte) *huffman {
	h := &huffman{values: values}
	code, index := int32(0), int32(0)
	for i, count := range counts {
		length := i + 1
		h.last[length], h.offset[length] = -1, index-code
		for range count {
			if code >= 1<<length || int(index) >= len(values) {
				return nil
			}
			if length <= huffmanLookup {
				from := code << (huffmanLookup - length)
				for c := from; c < from+1<<(huffmanLookup-length); c++ {
					h.short[c] = uint16(length)<<8 | uint16(values[index])
				}
			}
			h.last[length] = code
			code++
			index++
		}
		code <<= 1
	}
	return h
}

// symbol reads the next code's value.
func (b *bitReader) symbol(h *huffman) byte {
	if b.n < 16 {
		b.fill()
	}
	if e := h.short[b.word>>(b.n-huffmanLookup)&(1<<huffmanLookup-1)]; e != 0 {
		b.n -= uint(e >> 8)
		return byte(e)
	}
	for length := uint(huffmanLookup + 1); length <= 16; length++ {
		code := int32(b.word >> (b.n - length) & (1<<length - 1))
		if code <= h.last[length] {
			b.n -= length
			return h.values[code+h.offset[length]]
		}
	}
	b.bad = true
	return 0
}
