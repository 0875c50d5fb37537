// What units with vectors of 256 bits share.
enum { HALF = 8, MOST = 6 };

// Four activations, in every lane.
BODY __m256i four_everywhere(const int8_t *a) {
  int32_t word;
  memcpy(&word, a, sizeof word);
  return _mm256_set1_epi32(word);
}
