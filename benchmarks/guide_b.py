"""Guide B's way: a synchronous Session per request, in FastAPI's thread pool, on the pool that the guide advises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker

from benchmarks.peers import POOL, User, UserResponse, UserUpdate, make_durable
from benchmarks.urls import from_environment, sync_url

engine = create_engine(sync_url(from_environment()), **POOL, pool_pre_ping=True)
make_durable(engine)
session_factory = sessionmaker(engine, autoflush=False)
app = FastAPI()


def get_db() -> Iterator[Session]:
    """One session per request."""
    with session_factory() as session:
        yield session


Db = Annotated[Session, Depends(get_db)]


@app.get("/api/v1/users/{user_id}", response_model=UserResponse)
def read_user(user_id: int, db: Db) -> User:
    """One user by id."""
    user = db.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    return user


@app.get("/api/v1/users", response_model=list[UserResponse])
def list_users(
    db: Db, skip: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 100
) -> list[User]:
    """Some users in the order of their ids."""
    return list(db.scalars(select(User).order_by(User.id).offset(skip).limit(limit)))


@app.patch("/api/v1/users/{user_id}", response_model=UserResponse)
def update_user(user_id: int, change: UserUpdate, db: Db) -> User:
    """Change the fields that were sent."""
    user = db.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    for name, value in change.model_dump(exclude_unset=True).items():
        setattr(user, name, value)
    user.version += 1
    db.commit()
    db.refresh(user)
    return user
