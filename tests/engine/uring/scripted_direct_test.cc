// Direct descriptors: places kept for accepts, and ordinary descriptors for what takes one.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ScriptedDirectTest : public ScriptedTest {
 protected:
  void StartDirect(uint32_t places) {
    Options options;
    options.max_connections = places;
    options.features.wanted.Add(FeatureId::kDirectDescriptors);
    Start(options);
  }

  // Somebody comes to the first accept in flight.
  ConnId AcceptFirst() {
    uint64_t tag = ring_->Taken(Op::kAccept).front().user_data;
    Forget(tag);
    ring_->Complete(tag, 0);
    Turn();
    return handler_.opened.back();
  }

  void Forget(uint64_t tag) {
    std::erase_if(ring_->taken, [&](const io_uring_sqe& sqe) { return sqe.user_data == tag; });
  }

  io_uring_sqe Only(Op op) {
    std::vector<io_uring_sqe> all = ring_->Taken(op);
    EXPECT_THAT(all, SizeIs(1));
    return all.empty() ? io_uring_sqe{} : all.front();
  }
};

TEST_F(ScriptedDirectTest, KeepsAPlaceForEveryAccept) {
  StartDirect(3);
  EXPECT_EQ(ring_->file_table_entries, 3U);
  io_uring_sqe accept = Only(Op::kAccept);
  EXPECT_EQ(accept.file_index, UserData::Slot(accept.user_data) + 1);
  EXPECT_EQ(accept.ioprio, 0);
  EXPECT_EQ(accept.accept_flags, 0U);
  EXPECT_EQ(engine_->connections(), 0U) << "nobody is there yet";
}

TEST_F(ScriptedDirectTest, ARoomyTableHasManyAcceptsInFlightEachWithItsOwnPlace) {
  StartDirect(1000);
  std::vector<io_uring_sqe> accepts = ring_->Taken(Op::kAccept);
  ASSERT_THAT(accepts, SizeIs(32));
  std::set<uint32_t> places;
  for (const io_uring_sqe& accept : accepts) places.insert(accept.file_index);
  EXPECT_THAT(places, SizeIs(32));
}

TEST_F(ScriptedDirectTest, AFullTablePausesAcceptingUntilACloseIsDone) {
  StartDirect(2);
  ConnId first = AcceptFirst();
  AcceptFirst();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1U);
  Turn();
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1U) << "counted once";
  engine_->Close(first, CloseReason::kLocal);
  Turn();
  ring_->Complete(Tag(Op::kReceive, first), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty()) << "the place is not free yet";
  EXPECT_EQ(Only(Op::kClose).file_index, first.slot + 1);
  CompleteClose(first);
  EXPECT_EQ(Only(Op::kAccept).file_index, first.slot + 1);
}

TEST_F(ScriptedDirectTest, RequestsNameThePlaceInTheTable) {
  StartDirect(4);
  ConnId id = AcceptFirst();
  io_uring_sqe receive = Only(Op::kReceive);
  EXPECT_EQ(receive.fd, static_cast<int>(id.slot));
  EXPECT_EQ(receive.flags, IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT);
  ring_->CompleteWithData(receive.user_data, "ping");
  Turn();
  EXPECT_EQ(Only(Op::kSend).flags, IOSQE_FIXED_FILE);
}

TEST_F(ScriptedDirectTest, AFailedAcceptGivesItsPlaceBack) {
  StartDirect(1);
  io_uring_sqe accept = Only(Op::kAccept);
  ring_->Forget();
  ring_->Complete(accept.user_data, -ECONNABORTED);
  Turn();
  io_uring_sqe again = Only(Op::kAccept);
  EXPECT_EQ(again.file_index, accept.file_index);
  EXPECT_NE(again.user_data, accept.user_data) << "another generation";
  ring_->Complete(accept.user_data, 0);
  Turn();
  EXPECT_THAT(handler_.opened, IsEmpty()) << "a stale one opens nothing";
}

TEST_F(ScriptedDirectTest, AfterARefusalAFreshAcceptTriesForWhoeverWaits) {
  StartDirect(64);
  std::vector<io_uring_sqe> accepts = ring_->Taken(Op::kAccept);
  ASSERT_THAT(accepts, SizeIs(8));
  ring_->Forget();
  ring_->Complete(accepts[0].user_data, -ENFILE);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty()) << "it rests";
  ASSERT_TRUE(engine_->RunBatchForTest(base::kNsPerSec).ok());
  ASSERT_TRUE(engine_->RunBatchForTest().ok());
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1))
      << "the seven in flight are enough for the places, but do not hear of who waits already";
}

TEST_F(ScriptedDirectTest, StopsListeningByOneCancelForAllAccepts) {
  StartDirect(1000);
  std::vector<io_uring_sqe> accepts = ring_->Taken(Op::kAccept);
  ring_->Forget();
  engine_->StopListening();
  Turn();
  io_uring_sqe cancel = Only(Op::kCancel);
  EXPECT_EQ(cancel.fd, kListener);
  EXPECT_EQ(cancel.cancel_flags, unsigned{IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL});
  for (const io_uring_sqe& accept : accepts) ring_->Complete(accept.user_data, -ECANCELED);
  ring_->Complete(cancel.user_data, static_cast<int>(accepts.size()));
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_EQ(engine_->connections(), 0U);
}

TEST_F(ScriptedDirectTest, AnAcceptThatTheCancelMissedIsCancelledAgain) {
  StartDirect(1000);
  std::vector<io_uring_sqe> accepts = ring_->Taken(Op::kAccept);
  engine_->StopListening();
  Turn();
  io_uring_sqe cancel = Only(Op::kCancel);
  ring_->Forget();
  for (size_t i = 1; i < accepts.size(); ++i) ring_->Complete(accepts[i].user_data, -ECANCELED);
  ring_->Complete(cancel.user_data, static_cast<int>(accepts.size()) - 1);
  Turn();
  ASSERT_TRUE(engine_->RunBatchForTest(base::kNsPerSec).ok());
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
}

TEST_F(ScriptedDirectTest, APassingDescriptorGoesWhenDataComes) {
  StartDirect(4);
  ConnId id = AcceptFirst();
  EXPECT_EQ(engine_->Undelivered(id), std::nullopt);
  Turn();
  base::UniqueFd spare(dup(0));
  int fd = spare.get();
  ring_->Complete(Only(Op::kInstall).user_data, spare.Release());
  Turn();
  EXPECT_NE(fcntl(fd, F_GETFD), -1);
  ring_->CompleteWithData(Tag(Op::kReceive, id), "ping");
  Turn();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "a busy connection keeps none";
}

TEST_F(ScriptedDirectTest, WhatAPeerIsOwedTakesADescriptorForAMoment) {
  StartDirect(4);
  ConnId id = AcceptFirst();
  EXPECT_EQ(engine_->Undelivered(id), std::nullopt);
  EXPECT_EQ(engine_->Undelivered(id), std::nullopt);
  Turn();
  io_uring_sqe install = Only(Op::kInstall);
  EXPECT_EQ(install.opcode, kOpFixedFdInstall);
  EXPECT_EQ(install.fd, static_cast<int>(id.slot));
  EXPECT_EQ(install.flags, IOSQE_FIXED_FILE);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  base::UniqueFd other(pair[1]);
  ring_->Complete(install.user_data, pair[0]);
  Turn();
  EXPECT_EQ(engine_->Undelivered(id), 0);
  EXPECT_EQ(fcntl(pair[0], F_GETFD), -1) << "closed again";
  EXPECT_EQ(engine_->Undelivered(id), std::nullopt) << "asked afresh";
}

TEST_F(ScriptedDirectTest, NothingIsOwedWhereTheConnectIsStillUnderWay) {
  StartDirect(4);
  sockaddr_in there{.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {}, .sin_zero = {}};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const net::Address to(reinterpret_cast<const sockaddr*>(&there), sizeof(there));
  ConnectResult connecting = engine_->Connect(to, nullptr);
  ASSERT_TRUE(connecting.ok);
  EXPECT_EQ(engine_->Undelivered(connecting.id), 0);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kInstall), IsEmpty());
}

TEST_F(ScriptedDirectTest, WithoutADescriptorItIsAskedAgain) {
  StartDirect(4);
  ConnId id = AcceptFirst();
  EXPECT_EQ(engine_->Undelivered(id), std::nullopt);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kInstall, id), -EMFILE);
  Turn();
  EXPECT_EQ(engine_->Undelivered(id), std::nullopt);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kInstall), SizeIs(1));
}

TEST_F(ScriptedDirectTest, ClosingWaitsForTheInstall) {
  StartDirect(4);
  ConnId id = AcceptFirst();
  EXPECT_EQ(engine_->Undelivered(id), std::nullopt);
  engine_->Close(id, CloseReason::kLocal);
  Turn();
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
  base::UniqueFd spare(dup(0));
  int fd = spare.get();
  ring_->Complete(Tag(Op::kInstall, id), spare.Release());
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "the ordinary one is not left behind";
}

TEST_F(ScriptedDirectTest, AHalfClosedPeerThatDoesNotReadWaitsWithoutADescriptorOfItsOwn) {
  StartDirect(4);
  ConnId id = AcceptFirst();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "ping");
  Turn();
  ring_->Complete(Tag(Op::kReceive, id), 0);  // the end of its side
  Turn();
  ring_->Complete(Tag(Op::kSend, id), -ECANCELED);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, id), -EAGAIN);
  Turn();
  EXPECT_THAT(writable_->added, IsEmpty());
  EXPECT_THAT(ring_->Taken(Op::kSend), IsEmpty());
  base::UniqueFd spare(dup(0));
  int fd = spare.get();
  ring_->Complete(Only(Op::kInstall).user_data, spare.Release());
  Turn();
  ASSERT_THAT(writable_->added_for_good, ElementsAre(std::pair(fd, Tag(Op::kWritable, id))));
  EXPECT_EQ(fcntl(fd, F_GETFD), -1) << "a descriptor is kept for a peer that does not read";
  // It is in the set until it is closed, however often it waits.
  for (int i = 0; i < 3; ++i) {
    writable_->writable.push_back(Tag(Op::kWritable, id));
    ring_->Forget();
    ring_->Complete(UserData::Pack(Op::kWritable, 0, 0), 1);
    Turn();
    ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    ring_->Complete(Tag(Op::kSend, id), i < 2 ? -EAGAIN : 4);
    Turn();
  }
  EXPECT_THAT(writable_->added_for_good, SizeIs(1));
  EXPECT_THAT(ring_->Taken(Op::kInstall), IsEmpty());
  EXPECT_THAT(writable_->removed, IsEmpty());
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
}

TEST_F(ScriptedDirectTest, RoomThatIsToldOfBeforeTheSendThatFoundNoneIsNotForgotten) {
  StartDirect(4);
  ConnId id = AcceptFirst();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "ping");
  Turn();
  ring_->Complete(Tag(Op::kReceive, id), 0);
  Turn();
  ring_->Complete(Tag(Op::kSend, id), -ECANCELED);
  Turn();
  ring_->Complete(Tag(Op::kSend, id), -EAGAIN);
  Turn();
  ring_->Complete(Only(Op::kInstall).user_data, dup(0));
  Turn();
  writable_->writable.push_back(Tag(Op::kWritable, id));
  ring_->Complete(UserData::Pack(Op::kWritable, 0, 0), 1);
  Turn();
  // The send fails; there is room; the set is asked before the ring's queue gets to the send.
  writable_->writable.push_back(Tag(Op::kWritable, id));
  ring_->Forget();
  ring_->Complete(UserData::Pack(Op::kWritable, 0, 0), 1);
  ring_->Complete(Tag(Op::kSend, id), -EAGAIN);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kSend), SizeIs(1)) << "waits for an edge that has been";
}

TEST_F(ScriptedDirectTest, ATableThatIsRefusedCostsTheFeatureOnly) {
  Options options;
  options.features.wanted.Add(FeatureId::kDirectDescriptors);
  auto ring = std::make_unique<ScriptedRing>(64, 64);
  ring->register_files_result = -EMFILE;
  auto engine = TestEngine::CreateOn(std::move(ring), std::make_unique<ScriptedWritableSet>(),
                                     options, Everything(), handler_);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_THAT((*engine)->features(),
              ::testing::Contains(AllOf(Field(&Feature::name, "direct_descriptors"),
                                        Field(&Feature::effective, false))));
}

}  // namespace
}  // namespace ringecho::engine::uring
