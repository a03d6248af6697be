// The set of half-closed peers against the kernel's epoll.
#include "engine/uring/writable_set.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>

#include "base/unique_fd.h"

namespace ringecho::engine::uring {
namespace {

class WritableSetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    socket_.Reset(ends[0]);
    peer_.Reset(ends[1]);
  }

  void Fill() {
    const std::string block(4096, 'x');
    while (send(socket_.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    EXPECT_EQ(errno, EAGAIN);
  }

  void ReadAll() {
    std::array<char, 65536> block;
    while (recv(peer_.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
  }

  // The tag that is told, or 0.
  uint64_t Told() {
    std::array<uint64_t, 4> tags{};
    return set_->Take(tags) == 1 ? tags[0] : 0;
  }

  base::UniqueFd socket_;
  base::UniqueFd peer_;
  std::unique_ptr<WritableSet> set_ = NewWritableSet();
};

TEST_F(WritableSetTest, TellsOnceOfEachTimeItIsAsked) {
  Fill();
  for (uint64_t tag : {7, 8}) {
    ASSERT_EQ(tag == 7 ? set_->Add(socket_.get(), tag) : set_->AddAgain(socket_.get(), tag), 0);
    EXPECT_EQ(Told(), 0U);
    ReadAll();
    EXPECT_EQ(Told(), tag);
    EXPECT_EQ(Told(), 0U);
    Fill();
    ReadAll();
    EXPECT_EQ(Told(), 0U) << "not asked again";
    Fill();
  }
}

TEST_F(WritableSetTest, WhatWasAddedForGoodIsToldOfEachTimeWithoutItsDescriptor) {
  Fill();
  base::UniqueFd another(dup(socket_.get()));
  ASSERT_EQ(set_->AddForGood(another.get(), 7), 0);
  another.Reset();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Told(), 0U);
    ReadAll();
    EXPECT_EQ(Told(), 7U) << i;
    Fill();
  }
  socket_.Reset();
  peer_.Reset();
  EXPECT_EQ(Told(), 0U) << "the socket is gone";
}

TEST_F(WritableSetTest, WhatHasRoomWhenItIsAddedForGoodIsToldAtOnce) {
  ASSERT_EQ(set_->AddForGood(socket_.get(), 7), 0);
  EXPECT_EQ(Told(), 7U);
}

TEST_F(WritableSetTest, NeedsNoDescriptorWhenItIsNeeded) {
  EXPECT_EQ(set_->fd(), -1) << "there is nothing to poll yet";
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(set_->Add(socket_.get(), 7), 0);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(Told(), 7U);
}

}  // namespace
}  // namespace ringecho::engine::uring
