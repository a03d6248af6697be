// Received bytes that wait to be echoed, as pieces of provided buffers.
#ifndef RINGECHO_ENGINE_URING_PIECE_POOL_H_
#define RINGECHO_ENGINE_URING_PIECE_POOL_H_

#include <cassert>
#include <cstdint>
#include <vector>

#include "engine/uring/connection.h"

namespace ringecho::engine::uring {

// Bytes [at, at + bytes) of a provided buffer, in the queue of one connection. A buffer may have
// several pieces, of different connections, where the kernel consumes buffers incrementally.
struct Piece {
  uint32_t next = kNoPiece;  // of the same connection
  uint32_t at = 0;
  uint32_t bytes = 0;
  uint16_t buffer = kNoBuffer;
};

// Pieces by number; the one freed last is used first. Grows to the most that were ever in use at
// one time, which is the number of buffers where each is one piece.
class PiecePool {
 public:
  void Reserve(uint32_t pieces) { pieces_.reserve(pieces); }

  Piece& operator[](uint32_t piece) {
    assert(piece < pieces_.size());
    return pieces_[piece];
  }

  // References to pieces are good until the next Take.
  uint32_t Take(const Piece& piece) {
    if (free_head_ == kNoPiece) {
      pieces_.push_back(piece);
      return static_cast<uint32_t>(pieces_.size() - 1);
    }
    uint32_t taken = free_head_;
    free_head_ = pieces_[taken].next;
    pieces_[taken] = piece;
    return taken;
  }

  void GiveBack(uint32_t piece) {
    assert(piece < pieces_.size());
    pieces_[piece].next = free_head_;
    free_head_ = piece;
  }

 private:
  std::vector<Piece> pieces_;
  uint32_t free_head_ = kNoPiece;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_PIECE_POOL_H_
